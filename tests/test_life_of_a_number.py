"""The life of a number: it moves to another user, it sleeps, it is released."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import django
import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core import mail
from django.db import transaction
from django.dispatch import Signal
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import signals, verifications
from django_voicepassword.accounts import devices, releasing, users
from django_voicepassword.accounts.login import RESULT_ATTRIBUTE, LoginResult
from django_voicepassword.exceptions import DormantPhone
from django_voicepassword.models import VerifiedPhone
from django_voicepassword.security import masking
from django_voicepassword.testing import outbox as sent
from django_voicepassword.verifications import messages

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbox")]
PHONE = "79990000001"


def login_by(phone: str, request: HttpRequest | None = None) -> LoginResult:
    """Type the right code of a new verification: what the backend found."""
    request = request or HttpRequest()
    verification = verifications.start(phone)
    authenticate(request, verification=verification.id, voicepassword_code=sent[-1].code)
    return getattr(request, RESULT_ATTRIBUTE)  # type: ignore[no-any-return]


@pytest.fixture
def moved() -> Iterator[list[dict[str, Any]]]:
    """What the signal ``phone_moved`` said."""
    with heard(signals.phone_moved) as said:
        yield said


@contextmanager
def heard(signal: Signal) -> Iterator[list[dict[str, Any]]]:
    said: list[dict[str, Any]] = []

    def note(sender: type, **values: Any) -> None:
        said.append({name: value for name, value in values.items() if name != "signal"})

    signal.connect(note)
    yield said
    signal.disconnect(note)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_former_holder_of_a_number_is_told(
    moved: list[dict[str, Any]], settings: Any, language: str
) -> None:
    settings.LANGUAGE_CODE = language
    former = get_user_model().objects.create(username="former", email="former@example.org")
    user = get_user_model().objects.create(username="next", email="next@example.org")
    users.assign(former, PHONE)
    users.assign(former, PHONE)
    assert (moved, mail.outbox) == ([], [])
    users.assign(user, PHONE)
    assert moved == [{"phone": PHONE, "former": former, "user": user}]
    (letter,) = mail.outbox
    assert letter.to == ["former@example.org"]
    subject, body = str(letter.subject), str(letter.body)
    assert not re.search(r"\d|\n", subject)
    assert masking.mask(PHONE) in body
    assert PHONE[1:] not in body
    assert bool(re.search("[а-я]", subject + body)) == (language == "ru")


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_fails_breaks_no_login(
    moved: list[dict[str, Any]], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # Nothing listens on this port.
    backend = "django.core.mail.backends.smtp.EmailBackend"
    if django.VERSION >= (6, 1):
        options = {"host": "127.0.0.1", "port": 9}
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = backend
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    former = get_user_model().objects.create(username="former", email="former@example.org")
    users.assign(former, PHONE)
    users.assign(get_user_model().objects.create(username="next"), PHONE)
    assert len(moved) == 1
    assert "got no mail: ConnectionRefusedError" in caplog.text
    assert "former@example.org" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_move_that_is_rolled_back_is_not_told(moved: list[dict[str, Any]]) -> None:
    former = get_user_model().objects.create(username="former", email="former@example.org")
    users.assign(former, PHONE)
    with transaction.atomic():
        users.assign(get_user_model().objects.create(username="next"), PHONE)
        transaction.set_rollback(True)
    assert (moved, mail.outbox) == ([], [])


@pytest.mark.parametrize("has_password", [True, False])
def test_a_dormant_number_opens_no_account(
    configure: Callable[..., None], has_password: bool
) -> None:
    configure(DORMANT_AFTER_DAYS=30, LIMITS={"phone": []})
    user = get_user_model().objects.create_user("someone", password="x" if has_password else None)
    users.assign(user, PHONE)
    # The last good second, and the first bad one.
    for age, is_open in ((timedelta(days=30, seconds=-5), True), (timedelta(days=30), False)):
        VerifiedPhone.objects.update(verified_at=timezone.now() - age)
        request = HttpRequest()
        with heard(signals.phone_dormant) as said:
            result = login_by(PHONE, request)
        assert (result.error is None) == is_open
        assert said == ([] if is_open else [{"user": user, "phone": PHONE, "request": request}])
    assert isinstance(result.error, DormantPhone)
    assert (result.error.code, result.error.status_code) == ("refused", 403)
    advice = "Log in another way" if has_password else "Write to support"
    assert advice in messages.error_text(result.error)
    # A refused login is no proof, and another one is.
    assert login_by(PHONE).error is not None
    users.assign(user, PHONE)
    assert login_by(PHONE).error is None
    assert get_user_model().objects.count() == 1


def test_a_trusted_device_is_no_proof_of_a_dormant_number(configure: Callable[..., None]) -> None:
    configure(DORMANT_AFTER_DAYS=30, LIMITS={"phone": []})
    user = get_user_model().objects.create(username="someone")
    users.assign(user, PHONE)
    request = HttpRequest()
    request.META["HTTP_X_VOICEPASSWORD_DEVICE"] = devices.remember(HttpRequest(), PHONE, user)
    VerifiedPhone.objects.update(verified_at=timezone.now() - timedelta(days=31))
    assert isinstance(login_by(PHONE, request).error, DormantPhone)


def test_a_released_number_is_that_of_whoever_proves_it_next(
    configure: Callable[..., None],
) -> None:
    configure(DORMANT_AFTER_DAYS=30, LIMITS={"phone": []})
    user = get_user_model().objects.create(username="someone")
    users.assign(user, PHONE)
    VerifiedPhone.objects.update(verified_at=timezone.now() - timedelta(days=31))
    releasing.release(VerifiedPhone.objects.get())
    result = login_by(PHONE)
    assert result.verification is not None
    assert result.verification.user not in (None, user)
