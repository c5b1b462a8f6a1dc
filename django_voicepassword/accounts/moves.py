"""A number that moves to another user: the signal, and a mail to whoever had it before."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.db import router, transaction
from django.template.loader import render_to_string
from django.utils import translation

from django_voicepassword import signals
from django_voicepassword.models import VerifiedPhone
from django_voicepassword.security import masking

logger = logging.getLogger(__name__)
#: Seconds that the mail server has where EMAIL_TIMEOUT is not set: a login waits for it.
TIMEOUT = 10


def announce(phone: str, former_id: Any, user: Any) -> None:
    """Tell that ``phone`` moves from the user with the key ``former_id`` to ``user``.

    Both follow the commit: a move that is rolled back is not told.
    """
    users = get_user_model()
    # The default manager may hide the former user.
    rows = users._base_manager.using(router.db_for_write(users))
    former = rows.filter(pk=former_id).first()
    database = router.db_for_write(VerifiedPhone)
    values = {"phone": phone, "former": former, "user": user}
    signals.announce(signals.phone_moved, VerifiedPhone, database, **values)
    address = _address(former)
    if address:
        transaction.on_commit(lambda: _write_to(address, phone), using=database)


def _address(user: Any) -> str:
    """Return the e-mail address of a user; "" where there is none."""
    return str(getattr(user, get_user_model().get_email_field_name(), None) or "") if user else ""


def _write_to(address: str, phone: str) -> None:
    """Send the mail, in the language of the site. A mail server that fails is only logged.

    The subject has no number: it is shown on locked screens.
    """
    try:
        with translation.override(settings.LANGUAGE_CODE):
            subject = render_to_string("voicepassword/phone_moved_subject.txt")
            body = render_to_string(
                "voicepassword/phone_moved_body.txt", {"phone": masking.mask(phone)}
            )
        connection = _connection()
        if getattr(connection, "timeout", 0) is None:
            connection.timeout = TIMEOUT
        line = " ".join(subject.split())
        connection.send_messages([mail.EmailMessage(line, body, None, [address])])
    except Exception as error:
        logger.error("a former holder of a number got no mail: %s", type(error).__name__)


def _connection() -> Any:
    """Return the site's connection for mail. Django 6.1 has mailers, and deprecates the other."""
    mailers: Any = getattr(mail, "mailers", None)
    return mail.get_connection() if mailers is None else mailers.default
