"""The numbers of a logged-in person: list, add, remove."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import router
from django.db.models import F, QuerySet
from django.utils import timezone

from django_voicepassword import limits, transactions, verifications
from django_voicepassword.accounts import confirmation, field, proofs, users
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidProof, LastPhone, VerificationExpired
from django_voicepassword.models import VerifiedPhone
from django_voicepassword.security.sensitive import sensitive

Result = TypeVar("Result")
#: How old, in seconds, a proof may be that adds a number, or allows to remove one.
MAX_AGE = 600


def of_user(user: Any) -> list[VerifiedPhone]:
    """The proved numbers of a user, the latest proved first."""
    rows = list(VerifiedPhone.objects.filter(user=user))
    if settings.USER_PHONE_FIELD is None:
        return rows
    # The project may have written another number into its field since.
    return [row for row in rows if row.phone in users.phones_of(user)]


def get(user: Any, key: Any) -> VerifiedPhone:
    """The number of a user with a primary key. Raises VerifiedPhone.DoesNotExist."""
    for row in of_user(user):
        if str(row.pk) == str(key):
            return row
    raise VerifiedPhone.DoesNotExist("this user has no such number")


@sensitive
def add(user: Any, proof: str) -> VerifiedPhone:
    """Give a user the number of a proof (``verifications.make_proof``), which works once.

    With USER_PHONE_FIELD it replaces the number that the user had. A proof that is refused stays
    unused. Raises InvalidProof, also for one that is older than MAX_AGE or of another purpose than
    ``confirm``, Refused, and Unavailable.
    """

    def redeem_and_assign() -> VerifiedPhone:
        try:
            proved = verifications.read_proof(
                proof, MAX_AGE, purpose=confirmation.PURPOSE, once=True
            )
        except VerificationExpired:
            raise InvalidProof("the proof is too old: prove the number again") from None
        users.assign(user, proved.phone)
        return VerifiedPhone.objects.get(phone=proved.phone, user=user)

    return _in_transaction(redeem_and_assign)


def remove(user: Any, key: Any) -> None:
    """Take a number off a user; it has no user from then on, and its devices are forgotten.

    The caller has asked for a proof (``confirmation.is_confirmed`` with MAX_AGE). Raises
    VerifiedPhone.DoesNotExist, and LastPhone where the user could not log in without the number.
    """
    row = get(user, key)

    def remove_unless_last() -> None:
        limits.lock(f"user:{row.phone}")
        own = VerifiedPhone.objects.filter(user=user)
        # A write locks all numbers of the user on every database: two removals at once must not
        # each take the other number for the one that is left.
        own.update(verified_at=F("verified_at"))
        if is_last(user, row):
            raise LastPhone
        # The profiles of other users are not this user's to change.
        users.detach(own.get(pk=row.pk), from_everybody=False)

    _in_transaction(remove_unless_last)


def is_last(user: Any, row: VerifiedPhone) -> bool:
    """Would the user be locked out without the number: no password, and no other number?

    A dormant number does not count, as nobody can log in with it.
    """
    if settings.USER_PHONE_FIELD is not None and not field.may_be_without_phone():
        return True
    return not (user.has_usable_password() or _others(row).exists())


def _others(row: VerifiedPhone) -> QuerySet[VerifiedPhone]:
    rows = VerifiedPhone.objects.filter(user=row.user_id).exclude(pk=row.pk)
    return proofs.awake(rows, timezone.now())


def _in_transaction(work: Callable[[], Result]) -> Result:
    return transactions.atomic_with_retry(work, router.db_for_write(VerifiedPhone))
