"""The user of a number: by VerifiedPhone, or by the user model's field USER_PHONE_FIELD."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from django_voicepassword import limits, phones, transactions
from django_voicepassword.accounts import field, moves
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidPhone, Refused, VerificationError
from django_voicepassword.models import TrustedDevice, VerifiedPhone
from django_voicepassword.models.compiled import Insert, Select
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
        if not field.shows_everybody():
            return field.visible_users().filter(verified_phones__phone=phone).first()
        proofs = _PROVED(phone=phone)
        return proofs[0].user if proofs else None
    return _find_trusted(phone) if settings.USER_PHONE_TRUSTED else _find_proved(phone)


def _find_trusted(phone: str) -> Any:
    users = list(field.written(phone)[:2])
    if len(users) > 1:
        # Only one of them holds the phone: a guess would open the account of another.
        logger.error(
            "several users have the number of a phone login: make the field unique; "
            "nobody is logged in"
        )
        raise Refused("several users have the number")
    return users[0] if users else None


def _find_proved(phone: str) -> Any:
    written = field.written(phone)
    # Another login may write both between these reads: then the second try finds them.
    for _ in range(2):
        proof = VerifiedPhone.objects.filter(phone=phone).first()
        user = written.filter(pk=proof.user_id).first() if proof else None
        if user is not None or not written.exists():
            return user
    raise Refused("the number is written in a user's field, but this user never proved it")


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
        if _has_user(phone):
            # Another login made the user, or the project did; or the default manager hides them.
            user = find(phone)
            if user is not None:
                note_proof(user, phone)
            return user
        user = make_user(phone)
        if user is not None:
            _attach(user, phone)
        return user

    return _in_transaction(find_or_make)


def _has_user(phone: str) -> bool:
    """Does a number belong to any user, also one whom the default manager hides?

    A base manager of the project may hide users too, so no manager is asked.
    """
    if settings.USER_PHONE_FIELD is None:
        return bool(_PROVED(phone=phone))
    return bool(field.written(phone, field.all_users()).exists())


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
    if not field.written(phone).exclude(pk=user.pk).exists():
        return True
    # Others wrote the number into their profiles too. Here it counts who proved it.
    is_own = field.written(phone).filter(pk=user.pk).exists()
    return is_own and not settings.USER_PHONE_TRUSTED and not _is_proved_by_another(user, phone)


def _is_proved_by_another(user: Any, phone: str) -> bool:
    proof = VerifiedPhone.objects.filter(phone=phone).exclude(user=user).first()
    return proof is not None and field.written(phone).filter(pk=proof.user_id).exists()


def _attach(user: Any, phone: str) -> None:
    """Store whose the number is; the caller holds the lock of the number."""
    name = settings.USER_PHONE_FIELD
    if name is not None and phones_of(user) != [phone]:
        setattr(user, name, field.spelling(phone))
        user.save(update_fields=[name])
    note_proof(user, phone)


def note_proof(user: Any, phone: str) -> None:
    """Write the VerifiedPhone, also with USER_PHONE_FIELD: there a user has one number."""
    now = timezone.now()
    proofs = _LOCKED(phone=phone)
    if not proofs:
        _INSERT(VerifiedPhone(phone=phone, user=user, verified_at=now))
    for proof in proofs:
        if proof.user_id != user.pk:
            TrustedDevice.forget_number(phone)
            moves.announce(phone, proof.user_id, user)
        VerifiedPhone.objects.filter(pk=proof.pk).update(user=user, verified_at=now)
    if settings.USER_PHONE_FIELD is not None:
        VerifiedPhone.objects.filter(user=user).exclude(phone=phone).delete()


def detach(row: VerifiedPhone, from_everybody: bool = True) -> None:
    """Take a number off its user: nobody has it, and whoever proves it next gets it.

    With USER_PHONE_FIELD also off the other users who only wrote it, unless ``from_everybody`` is
    False. Call it in a transaction that has locked the number. Raises LastPhone where the field
    cannot be empty.
    """
    if settings.USER_PHONE_FIELD is not None:
        holders = field.written(row.phone, field.all_users())
        for user in holders if from_everybody else holders.filter(pk=row.user_id):
            field.clear(user)
    row.delete()


def phones_of(user: Any) -> list[str]:
    """The numbers of a user (E.164 digits), the latest verified first."""
    name = settings.USER_PHONE_FIELD
    if name is None:
        return list(
            VerifiedPhone.objects.filter(user=user)
            .order_by("-verified_at")
            .values_list("phone", flat=True)
        )
    try:
        return [phones.normalize(getattr(user, name) or "")]
    except InvalidPhone:
        return []


def _proved(phone: Any) -> QuerySet[VerifiedPhone]:
    return VerifiedPhone.objects.filter(phone=phone).select_related("user").order_by()


def _locked(phone: Any) -> QuerySet[VerifiedPhone]:
    return VerifiedPhone.objects.select_for_update().filter(phone=phone).order_by()


_PROVED = Select(VerifiedPhone, _proved, phone="phone")
_LOCKED = Select(VerifiedPhone, _locked, phone="phone")
_INSERT = Insert(VerifiedPhone)
