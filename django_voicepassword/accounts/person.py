"""All data of a person: found by a number or a user, exported, erased."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured, ObjectDoesNotExist
from django.utils import timezone
from django.utils.translation import gettext_lazy

from django_voicepassword import calls, history, phones, statistics
from django_voicepassword import verifications as front_door
from django_voicepassword.accounts import field as user_field
from django_voicepassword.accounts import releasing, users
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import LastPhone, VoicePasswordError
from django_voicepassword.history import Person
from django_voicepassword.limits import purged
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from django_voicepassword.security import audit, masking

#: Why nothing is erased.
NEEDED = gettext_lazy(
    "The user model needs a number in its field, so nothing was erased: delete the user, then "
    "erase the number."
)
#: ``error_code`` of a call that nobody places any more, because its person was erased.
ERASED = "erased"


@dataclass(frozen=True)
class Erasure:
    """What an erasure did.

    ``not_synced`` has the days whose statistics could not be synced before, with the error.
    ``left`` names the fields of the project's user that still hold a number of the person.
    """

    rows: int
    not_synced: dict[date, Exception] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)


def of_phone(phone: str) -> Person:
    """The person of a number, in any spelling. Raises InvalidPhone."""
    return Person((phones.normalize(phone),))


def of_user(user_id: Any) -> Person:
    """The person of a user: their numbers, and those they had and nobody else has.

    Raises ObjectDoesNotExist.
    """
    try:
        user = user_field.all_users().filter(pk=user_id).first()
    except (TypeError, ValueError):
        user = None
    if user is None:
        raise ObjectDoesNotExist("there is no such user")
    own = {*users.phones_of(user)}
    own.update(VerifiedPhone.objects.filter(user=user.pk).values_list("phone", flat=True))
    proved = Verification.objects.filter(user=user.pk, status=Verification.Status.APPROVED)
    had = set(proved.order_by().values_list("phone", flat=True).distinct())
    moved = VerifiedPhone.objects.filter(phone__in=had).exclude(user=user.pk)
    had -= set(moved.values_list("phone", flat=True))
    had = {phone for phone in had if not masking.is_removed(phone)}
    return Person(tuple(sorted(own | had)), user.pk)


def export(person: Person, staff: Any = None) -> Iterator[str]:
    """All data of a person as the parts of a JSON document, for ``staff`` (None: a command)."""
    audit.person_exported(staff, _name(person))
    return history.export_person(person)


def erase(
    person: Person, staff: Any = None, progress: Callable[[int], None] | None = None
) -> Erasure:
    """Erase all data of a person; ``staff`` is who asked for it (None: a command).

    Calls and verifications stay without number, user and address, so that the figures of each day
    add up and a sync still matches them. The statistics of yesterday and today are synced before.

    Raises LastPhone, and erases nothing, where USER_PHONE_FIELD cannot be empty: the user has to be
    deleted first.
    """
    holders = _holders(person)
    if settings.USER_PHONE_FIELD and holders and not user_field.may_be_without_phone():
        raise LastPhone("the user model needs a number: delete the user first")
    not_synced = _sync()
    purged.note_erasure(timezone.now())
    _close(person)
    history.forget_devices(person)
    _release(person)
    rows = history.erase_person(person, progress)
    audit.person_erased(staff, _name(person), rows)
    return Erasure(rows, not_synced, _left_in(holders, person))


def _holders(person: Person) -> list[Any]:
    """The users whom rows of the person name, or whose field holds one of the numbers."""
    keys = set(person.verified_phones.values_list("user", flat=True))
    keys |= set() if person.user_id is None else {person.user_id}
    found = {user.pk: user for user in user_field.all_users().filter(pk__in=keys)}
    if settings.USER_PHONE_FIELD is not None:
        for phone in person.phones:
            written = user_field.written(phone, user_field.all_users())
            found.update({user.pk: user for user in written})
    return list(found.values())


def _sync() -> dict[date, Exception]:
    """Sync yesterday and today: a later sync finds what it knows already."""
    failed: dict[date, Exception] = {}
    today = statistics.provider_today()
    for day in (today - timedelta(days=1), today):
        try:
            statistics.sync_day(day)
            statistics.refresh_figures(day)
        except (VoicePasswordError, ImproperlyConfigured) as error:
            failed[day] = error
    return failed


def _close(person: Person) -> None:
    """Close what is still going on: nobody must be rung, and no code be worth anything."""
    for rows in person.verifications:
        for key in rows.filter(status=Verification.Status.PENDING).values_list("pk", flat=True):
            front_door.cancel(key)
    for queued in person.calls:
        waiting = queued.filter(state=CallRequest.State.QUEUED)
        for call_id in waiting.values_list("pk", flat=True):
            calls.give_up(call_id, ERASED)


def _release(person: Person) -> None:
    for row in person.verified_phones:
        # Before: a deleted row has no key.
        history.hide_log_entries(row)
        releasing.detach(row)
    if settings.USER_PHONE_FIELD is not None:
        for user in _holders(person):
            user_field.clear(user)


def _left_in(holders: list[Any], person: Person) -> list[str]:
    """The names of the fields of these users that still hold a number of the person."""
    left = set()
    for user in user_field.all_users().filter(pk__in=[holder.pk for holder in holders]):
        history.hide_log_entries(user, person.phones)
        for column in user._meta.concrete_fields:
            digits = "".join(filter(str.isdigit, str(column.value_from_object(user))))
            if any(phone in digits for phone in person.phones):
                left.add(column.name)
    return sorted(left)


def _name(person: Person) -> str:
    """How the audit log names a person: without a whole number."""
    names = [masking.mask(phone) for phone in person.phones]
    return ", ".join(names if person.user_id is None else [f"user {person.user_id}", *names])
