"""The part of a customer's page that changes while the customer tries: it is asked for again."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from django_voicepassword import limits
from django_voicepassword.accounts.people import Person
from django_voicepassword.admin import unblocking
from django_voicepassword.admin.actions import CUSTOMER, AvailableAction, available_actions
from django_voicepassword.admin.addresses import customer_address, page_address
from django_voicepassword.admin.advice import advise
from django_voicepassword.admin.obstacles import Situation
from django_voicepassword.admin.person.sentences import sentence
from django_voicepassword.admin.person.story import Story
from django_voicepassword.admin.refusal_texts import advice as advice_about
from django_voicepassword.history import Reader
from django_voicepassword.history.attempts import Attempt, attempts
from django_voicepassword.models.moments import as_aware
from django_voicepassword.verifications.limit_texts import rate_name

#: Seconds after which the page looks again: while something happens, and otherwise.
SOON, LATER = 3, 10


def live_context(
    person: Person, before: datetime | None, request: HttpRequest, site: AdminSite
) -> dict[str, Any]:
    """Return what is known of a person, and what can be done. Numbers are masked in it."""
    page = attempts(person.phones, person.user, before)
    context = {
        "cards": Story(site, page.attempts, Reader(request.user, "customer")).cards,
        "older": _older(person, page.older, site),
    }
    if before is not None:
        return {**context, "newest_page": customer_address(site, person.key)}
    newest = _newest(page.attempts)
    return {
        **context,
        "say": sentence(newest),
        "advice": _advice(newest),
        "again": SOON if newest and _is_happening(newest) else LATER,
        **_help(person, newest, page.attempts, request, site),
    }


def _newest(found: list[Attempt]) -> Attempt | None:
    """Return the attempt in which something happened last.

    That somebody asked again too early says less than the code that is on its way.
    """
    telling = [one for one in found if not one.refusal or one.refusal.reason != "resend_after"]
    return max(telling or found, key=lambda attempt: attempt.last_at, default=None)


def _help(
    person: Person,
    newest: Attempt | None,
    found: list[Attempt],
    request: HttpRequest,
    site: AdminSite,
) -> dict[str, Any]:
    """Return what can be done for the number of the newest attempt, and what is used of its limits.

    The actions are those of the newest call, as on its own page.
    """
    phone = newest.phone if newest else next(iter(person.phones), "")
    calls = next((list(one.calls) for one in found if one.calls and one.phone == phone), [])
    if calls:
        situation = Situation.of(calls[-1], calls)
        used, actions = situation.used, available_actions(situation, request, site, CUSTOMER)
    else:
        used = limits.usage(phone)
        actions = _unblocking(person, bool(used), request, site)
    return {
        "actions": actions,
        "obstructed": any(action.obstacle for action in actions),
        "used": [(rate_name(rate), count, allowed) for rate, count, allowed in used],
    }


def _is_happening(newest: Attempt) -> bool:
    return newest.verification is not None and newest.verification.is_open


def _advice(newest: Attempt | None) -> str:
    """Return what the clerk should know about the newest attempt."""
    if newest is None:
        return ""
    if newest.refusal is not None:
        return advice_about(newest.refusal.reason)
    return advise(newest.calls[-1]) if newest.calls else ""


def _unblocking(
    person: Person, is_used: bool, request: HttpRequest, site: AdminSite
) -> list[AvailableAction]:
    """Return the one action for a number without a call."""
    if person.key is None or not is_used or not request.user.has_perms(unblocking.PERMISSIONS):
        return []
    address = page_address(site, "django_voicepassword_person_unblock")
    query = urlencode([person.key])
    label = str(unblocking.LABEL)
    return [AvailableAction(label, f"{address}?{query}", costs=False, is_main=True)]


def _older(person: Person, moment: datetime | None, site: AdminSite) -> str:
    if moment is None or person.key is None:
        return ""
    address = customer_address(site, person.key)
    return f"{address}&{urlencode({'before': as_aware(moment).isoformat()})}"
