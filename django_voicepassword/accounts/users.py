"""The user of a number: by VerifiedPhone, or by the user model's field USER_PHONE_FIELD."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, PermissionDenied
from django.db import IntegrityError, models, router, transaction
from django.utils import timezone

from django_voicepassword import limits, phones, transactions
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidPhone, Refused, VerificationError
from django_voicepassword.models import TrustedDevice, VerifiedPhone
from django_voicepassword.security import masking
from django_voicepassword.security.tracebacks import clear_frames
from django_voicepassword.transactions import DATABASE_ERRORS

logger = logging.getLogger(__name__)
Result = TypeVar("Result")


def find(phone: str) -> Any:
    """The user whom a right code for a number logs in, active or not; None where there is none.

    With USER_PHONE_FIELD the user must have proved the number as well, unless USER_PHONE_TRUSTED:
    otherwise anybody could write somebody else's number into their own profile, and that person
    would be logged in there. ``phone`` is E.164 digits. A user whom the default manager of the user
    model hides counts as deleted and is not found.

    Raises Refused where the field gives the number to a user who never proved it, or to several.
    """
    if settings.USER_PHONE_FIELD is None:
        return _users().filter(verified_phones__phone=phone).first()
    return _find_trusted(phone) if settings.USER_PHONE_TRUSTED else _find_proved(phone)


def _find_trusted(phone: str) -> Any:
    users = list(_written(phone)[:2])
    if len(users) > 1:
        # Only one of them holds the phone: a guess would open the account of another.
        logger.error(
            "several users have the number of a phone login: make the field unique; "
            "nobody is logged in"
        )
        raise Refused("several users have the number")
    return users[0] if users else None


def _find_proved(phone: str) -> Any:
    written = _written(phone)
    proof = VerifiedPhone.objects.filter(phone=phone).first()
    user = written.filter(pk=proof.user_id).first() if proof else None
    if user is None and written.exists():
        raise Refused("the number is written in a user's field, but this user never proved it")
    return user


def _written(phone: str, users: Any = None) -> Any:
    """The users, by default all visible ones, whose field USER_PHONE_FIELD holds the number."""
    users = _users() if users is None else users
    return users.filter(**{f"{phone_field().name}__in": [f"+{phone}", phone]})


def _users() -> Any:
    """The visible users, read where they are written: a replica may not have a new one yet."""
    return get_user_model()._default_manager.using(_database())


def _database() -> str:
    return router.db_for_write(get_user_model())


def may_log_in(user: Any) -> bool:
    """May a phone alone log this user in? For staff and superusers STAFF_LOGIN decides."""
    is_staff = getattr(user, "is_staff", False) or getattr(user, "is_superuser", False)
    return settings.STAFF_LOGIN or not is_staff


def create(phone: str, make_user: Callable[[str], Any]) -> Any:
    """Make the user of a new number; None where CREATE_USERS is off, or where the default manager
    hides the number's user.

    Two requests at once make one user. Raises Refused where the user cannot be made: the answer
    must not tell an unknown number from a known one, so the reason is in the log alone.
    """
    if not settings.CREATE_USERS:
        return None
    try:
        return _create(phone, make_user)
    except (VerificationError, PermissionDenied, *DATABASE_ERRORS):
        raise
    except Exception as error:
        found = find(phone) if isinstance(error, IntegrityError) else None
        if found is None:
            _log_failure(error, phone)
            raise Refused("the user cannot be created") from None
        return found


def _create(phone: str, make_user: Callable[[str], Any]) -> Any:
    def find_or_make() -> Any:
        # A project's field need not be unique, so a lock keeps two first logins from making two
        # users.
        limits.lock(f"user:{phone}")
        user = find(phone)
        if user is not None:
            # Another login made the user, or the project did.
            note_proof(user, phone)
        elif not _is_hidden(phone):
            user = make_user(phone)
            if user is not None:
                _attach(user, phone)
        return user

    return _in_transaction(find_or_make)


def _is_hidden(phone: str) -> bool:
    """Does a number belong to a user whom the default manager hides? It found nobody else.

    A base manager of the project may hide users too, so no manager is asked.
    """
    if settings.USER_PHONE_FIELD is None:
        return VerifiedPhone.objects.filter(phone=phone).exists()
    return bool(_written(phone, models.QuerySet(get_user_model(), using=_database())).exists())


def _log_failure(error: Exception, phone: str) -> None:
    """Log why a user cannot be made, with the traceback but without the number.

    The message of a database error often repeats the row.
    """
    clear_frames(error)
    traceback = error.__traceback__
    message = masking.mask_text(str(error).partition("\n")[0], phone)
    cause = RuntimeError(f"{type(error).__name__}: {message}")
    logger.error(
        "no user can be created for a phone login: override PhoneBackend.create_user so that it "
        "gives the user model what it needs",
        # The first frame still runs, so it cannot be cleared, and it holds the number.
        exc_info=cause.with_traceback(traceback and traceback.tb_next),
    )


def assign(user: Any, phone: str) -> None:
    """Give a user the number that they have just proved. It has no other user from then on.

    Raises Refused where USER_PHONE_FIELD gives the number to another user: only the project may
    change that.
    """
    # The code is spent by now, so a transaction that the database rolls back is repeated.
    _in_transaction(lambda: _assign(user, phone))


def _assign(user: Any, phone: str) -> None:
    limits.lock(f"user:{phone}")
    if settings.USER_PHONE_FIELD is not None and not _may_have(user, phone):
        raise Refused("the number belongs to another user")
    try:
        with transaction.atomic(using=router.db_for_write(VerifiedPhone)):
            _attach(user, phone)
    except IntegrityError:
        # The field is unique, and the default manager hides the user who has the number.
        raise Refused("the number belongs to a hidden user") from None


def _in_transaction(work: Callable[[], Result]) -> Result:
    return transactions.atomic_with_retry(work, router.db_for_write(VerifiedPhone))


def _may_have(user: Any, phone: str) -> bool:
    """May the field of a user who proved the number hold it?"""
    if not _written(phone).exclude(pk=user.pk).exists():
        return True
    # Others wrote the number into their profiles too. Here it counts who proved it.
    is_own = _written(phone).filter(pk=user.pk).exists()
    return is_own and not settings.USER_PHONE_TRUSTED and not _is_proved_by_another(user, phone)


def _is_proved_by_another(user: Any, phone: str) -> bool:
    proof = VerifiedPhone.objects.filter(phone=phone).exclude(user=user).first()
    return proof is not None and _written(phone).filter(pk=proof.user_id).exists()


def _attach(user: Any, phone: str) -> None:
    """Store whose the number is; the caller holds the lock of the number."""
    field = settings.USER_PHONE_FIELD
    if field is not None and phones_of(user) != [phone]:
        setattr(user, field, spelling(phone))
        user.save(update_fields=[field])
    note_proof(user, phone)


def note_proof(user: Any, phone: str) -> None:
    """Write the VerifiedPhone, also with USER_PHONE_FIELD: there a user has one number."""
    now = timezone.now()
    proof = VerifiedPhone.objects.select_for_update().filter(phone=phone).first()
    if proof is None:
        VerifiedPhone.objects.create(phone=phone, user=user, verified_at=now)
    else:
        if proof.user_id != user.pk:
            TrustedDevice.forget_number(phone)
        VerifiedPhone.objects.filter(pk=proof.pk).update(user=user, verified_at=now)
    if settings.USER_PHONE_FIELD is not None:
        VerifiedPhone.objects.filter(user=user).exclude(phone=phone).delete()


def phones_of(user: Any) -> list[str]:
    """The numbers of a user (E.164 digits), the latest verified first."""
    field = settings.USER_PHONE_FIELD
    if field is None:
        return list(
            VerifiedPhone.objects.filter(user=user)
            .order_by("-verified_at")
            .values_list("phone", flat=True)
        )
    try:
        return [phones.normalize(getattr(user, field) or "")]
    except InvalidPhone:
        return []


def phone_field() -> Any:
    """The field USER_PHONE_FIELD of the user model. Raises ImproperlyConfigured."""
    try:
        return get_user_model()._meta.get_field(settings.USER_PHONE_FIELD)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            'VOICEPASSWORD["USER_PHONE_FIELD"]: the user model has no field '
            f"{settings.USER_PHONE_FIELD!r}"
        ) from None


def spelling(phone: str) -> str:
    """The number as the project stores it: with a plus where other users have one, or where the
    field needs it.
    """
    field = phone_field()
    if hasattr(field, "region"):
        # A PhoneNumberField reads digits without a plus as a national number.
        return f"+{phone}"
    with_plus = _users().filter(**{f"{field.name}__startswith": "+"}).exists()
    return f"+{phone}" if with_plus else phone
