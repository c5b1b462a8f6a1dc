"""People, as support looks for them: a user with all numbers, or a number that is nobody's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from django_voicepassword.accounts import users
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import Refused
from django_voicepassword.history import Reader, numbers, texts
from django_voicepassword.history.users import users_named
from django_voicepassword.models import CallRequest, RefusedAttempt, Verification, VerifiedPhone
from django_voicepassword.security import masking

#: How many people a search finds at most, and how many numbers of one person are looked at.
MOST, MOST_NUMBERS = 20, 5
#: Of the calls and refused attempts that a search finds, only the newest ones are looked at.
_ROWS = 1000

#: What leads to a person: the kind of a row (``user``, ``phone``, ``call`` or ``refused``) and its
#: primary key. So no address of a page has a number in it.
Key = tuple[str, Any]


@dataclass(frozen=True)
class Person:
    """``phones`` are E.164 digits, the latest verified first. ``user`` may be None.

    ``latest`` is the moment of the newest row that a search found, where it found one.
    """

    user: Any
    phones: tuple[str, ...] = field(repr=False)
    key: Key | None = None
    latest: datetime | None = None


def of_user(user: Any, key: Key | None = None) -> Person:
    """Return the person who is this user."""
    proved = VerifiedPhone.objects.filter(user=user).order_by("-verified_at")
    phones = list(proved.values_list("phone", flat=True)[:MOST_NUMBERS])
    if settings.USER_PHONE_FIELD is not None:
        phones += [phone for phone in users.phones_of(user) if phone not in phones]
    return Person(user, tuple(phones), key or _key_of_user(user))


def of_number(phone: str, key: Key | None = None) -> Person:
    """Return the person who has this number; nobody where a row no longer tells its number."""
    if masking.is_removed(phone):
        return Person(None, (), key)
    user = _holder(phone)
    if user is None:
        return Person(None, (phone,), key)
    person = of_user(user, key)
    others = [other for other in person.phones if other != phone]
    return Person(user, (phone, *others), key)


def of_key(kind: str, value: str) -> Person | None:
    """Return the person to whom a row leads; None where there is no such row."""
    if kind == "user":
        user = _by_key(get_user_model()._default_manager.all(), value)
        return None if user is None else of_user(user)
    models: dict[str, Any] = {
        "phone": VerifiedPhone,
        "call": CallRequest,
        "refused": RefusedAttempt,
    }
    row = _by_key(models[kind].objects.all(), value) if kind in models else None
    return None if row is None else of_number(row.phone, (kind, row.pk))


def find(text: str, reader: Reader) -> list[Person]:
    """Return the people whom ``text`` finds, those with the newest calls first; MOST at most.

    It finds what ``history.search_calls`` does, and numbers and users without a call too. For a
    whole number it is one person, also where nothing is known of it; ``key`` is None then.

    Raises RateLimited: see ``Reader.note_search``.
    """
    text = texts.clean(text)
    if not text or texts.client_address(text):
        return []
    number = numbers.noted_number(text, reader)
    if number is not None:
        return _people(_rows(Q(phone=number), text) or {number: _Found()})
    if numbers.digits_of(text):
        return _people(_rows(numbers.condition(text, reader), text))
    if (key := texts.uuid_of(text)) is not None:
        verification = Verification.objects.filter(pk=key).first()
        return [] if verification is None else _people(_rows(Q(phone=verification.phone), ""))
    named = get_user_model()._default_manager.filter(pk__in=users_named(text, reader)[:MOST])
    people = [of_user(user) for user in named.order_by("pk")]
    return [*people, *_people(_rows(Q(pk__in=[]), text))][:MOST]


@dataclass(frozen=True)
class _Found:
    key: Key | None = None
    latest: datetime | None = None


def _rows(numbers: Q, provider_id: str) -> dict[str, _Found]:
    """Return number -> the newest row that leads to it, the newest calls first."""
    wanted = numbers | Q(provider_id=provider_id) if provider_id else numbers
    calls = CallRequest.objects.filter(wanted).order_by("-created_at", "-id")
    refused = RefusedAttempt.objects.filter(numbers).order_by("-last_at")
    proved = VerifiedPhone.objects.filter(numbers).order_by("-verified_at")
    sources: tuple[tuple[str, QuerySet[Any], str], ...] = (
        ("call", calls, "created_at"),
        ("refused", refused, "last_at"),
        ("phone", proved, "verified_at"),
    )
    found: dict[str, _Found] = {}
    for kind, rows, moment in sources:
        for phone, key, latest in rows.values_list("phone", "pk", moment)[:_ROWS]:
            found.setdefault(phone, _Found((kind, key), latest))
    return found


def _people(rows: dict[str, _Found]) -> list[Person]:
    """Return the people who have these numbers."""
    phones = [phone for phone in rows if not masking.is_removed(phone)][: MOST * MOST_NUMBERS]
    if len(phones) == 1:
        return [of_number(phones[0], rows[phones[0]].key)]
    proved = VerifiedPhone.objects.filter(phone__in=phones).select_related("user")
    holders = {proof.phone: proof.user for proof in proved}
    people: dict[Any, Person] = {}
    for phone in phones:
        user = holders.get(phone)
        person = people.get(user.pk if user else phone)
        if person is None:
            person = Person(user, (), rows[phone].key, rows[phone].latest)
        people[user.pk if user else phone] = replace(person, phones=(*person.phones, phone))
    return list(people.values())[:MOST]


def _holder(phone: str) -> Any:
    proof = VerifiedPhone.objects.filter(phone=phone).select_related("user").first()
    if proof is not None:
        return proof.user
    if not settings.USER_PHONE_TRUSTED:
        return None
    try:
        return users.find(phone)
    except Refused:
        return None


def _key_of_user(user: Any) -> Key | None:
    """Return the key of a user; None where it has a phone number in it, which addresses show."""
    return None if masking.has_number(str(user.pk)) else ("user", user.pk)


def _by_key(rows: QuerySet[Any], value: str) -> Any:
    try:
        return rows.filter(pk=rows.model._meta.pk.to_python(value)).first()
    except (ValueError, OverflowError, ValidationError):
        return None
