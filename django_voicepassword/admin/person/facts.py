"""Who a customer is: the account, and the numbers with their trusted devices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy

from django_voicepassword import phones
from django_voicepassword.accounts.people import Key, Person
from django_voicepassword.admin.addresses import (
    customer_address,
    may_see,
    page_address,
    user_address,
)
from django_voicepassword.admin.columns import short_moment
from django_voicepassword.models import TrustedDevice, VerifiedPhone
from django_voicepassword.security import masking

#: Action of the list of verified phones -> its label here.
_LABELS = {
    "release_numbers": gettext_lazy("Release the number…"),
    "export_person": gettext_lazy("Export all data…"),
    "erase_person": gettext_lazy("Erase all data…"),
}


@dataclass(frozen=True)
class Number:
    """A number as the reader may see it. ``verified`` is "" where nobody has proved it.

    ``key`` is that of its VerifiedPhone, ``address`` the page of it where the reader may open it.
    """

    shown: str = field(repr=False)
    verified: str
    devices: int
    key: int | None = None
    address: str = ""


@dataclass(frozen=True)
class Match:
    """A person in the list of those whom a search found."""

    name: str = field(repr=False)
    numbers: list[str] = field(repr=False)
    address: str
    latest: str


def shown_number(phone: str, is_whole: bool) -> str:
    """Return a number whole, or masked."""
    return phones.national(phone) if is_whole else masking.mask(phone)


def name_of(user: Any, is_whole: bool) -> str:
    """Return the name of a user, with the first and last name where there is one."""
    if user is None:
        return ""
    full_name = user.get_full_name() if hasattr(user, "get_full_name") else ""
    names = [str(user), full_name] if full_name and full_name != str(user) else [str(user)]
    return ", ".join(names if is_whole else map(masking.mask_name, names))


def match(person: Person, site: Any, is_whole: bool) -> Match:
    """Return a person for the list of those whom a search found."""
    key: Key | None = person.key
    return Match(
        name_of(person.user, is_whole),
        [shown_number(phone, is_whole) for phone in person.phones],
        customer_address(site, key) if key else "",
        _moment(person.latest),
    )


def facts(person: Person, site: Any, request: Any, is_whole: bool) -> dict[str, Any]:
    """Return what the head of the page shows."""
    user = person.user
    return {
        "name": name_of(user, is_whole),
        "user_address": user_address(site, user, request, is_whole),
        "is_inactive": user is not None and not user.is_active,
        "last_login": _moment(getattr(user, "last_login", None)),
        "numbers": _numbers(person, site, request, is_whole),
        **_actions(site, request),
    }


def _numbers(person: Person, site: Any, request: Any, is_whole: bool) -> list[Number]:
    proofs = {proof.phone: proof for proof in VerifiedPhone.objects.filter(phone__in=person.phones)}
    trusted = TrustedDevice.trusted(timezone.now()).filter(phone__in=person.phones)
    devices = list(trusted.values_list("phone", flat=True))
    links = may_see(site, VerifiedPhone, request)
    return [
        _number(phone, proofs.get(phone), devices.count(phone), site if links else None, is_whole)
        for phone in person.phones
    ]


def _number(
    phone: str, proof: VerifiedPhone | None, devices: int, site: Any, is_whole: bool
) -> Number:
    shown = shown_number(phone, is_whole)
    if proof is None:
        return Number(shown, "", devices)
    name = "django_voicepassword_verifiedphone_change"
    address = page_address(site, name, proof.pk) if site else ""
    return Number(shown, _moment(proof.verified_at), devices, proof.pk, address)


def _actions(site: Any, request: Any) -> dict[str, Any]:
    """Return where the actions of the list of verified phones are sent, and their names.

    They release a number, and export or erase a person. Each asks on a page of its own first.
    """
    if not may_see(site, VerifiedPhone, request):
        return {}
    actions = site.get_model_admin(VerifiedPhone).get_actions(request)
    return {
        "actions_address": page_address(site, "django_voicepassword_verifiedphone_changelist"),
        "actions": [(name, label) for name, label in _LABELS.items() if name in actions],
    }


def _moment(moment: Any) -> str:
    return short_moment(moment) if moment else ""
