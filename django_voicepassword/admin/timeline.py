"""Everything that is known of a call in the order in which it happened, and who told it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from django_voicepassword.admin.base import TONES, rubles
from django_voicepassword.models import CallRequest, CallStatus, Verification


@dataclass(frozen=True)
class Event:
    """One line. ``source`` says who told; ``word`` is a state in its ``tone``; ``payload`` is what
    the provider wrote.
    """

    moment: datetime
    source: str
    words: str
    word: str = ""
    tone: str = "plain"
    details: str = ""
    payload: str = ""


def events(
    call: CallRequest, statuses: Iterable[CallStatus], entries: Iterable[Any] = ()
) -> list[Event]:
    """The events of a call, oldest first. ``entries``: what the staff did, from the admin's
    history.
    """
    found = [*_of_verification(call.verification), *_of_call(call)]
    found += [_of_status(status) for status in statuses]
    found += [
        Event(entry.action_time, _("staff"), f"{entry.user}: {entry.get_change_message()}")
        for entry in entries
    ]
    # Stable: what has the same time stays in the order of its making.
    return sorted(found, key=lambda event: event.moment)


def _of_verification(verification: Verification | None) -> list[Event]:
    if verification is None:
        return []
    who = _("customer")
    found = [
        Event(
            verification.created_at,
            who,
            _("asked for a code: %(purpose)s") % {"purpose": verification.purpose},
        )
    ]
    if verification.approved_at is not None:
        found.append(
            Event(
                verification.approved_at,
                who,
                _("typed the right code"),
                verification.get_status_display(),
                "good",
            )
        )
    elif verification.expires_at <= timezone.now():
        found.append(
            Event(verification.expires_at, _("this site"), _("the time to type the code was over"))
        )
    return found


def _of_call(call: CallRequest) -> list[Event]:
    site = _("this site")
    if call.origin == CallRequest.Origin.IMPORTED:
        return [
            Event(
                call.created_at,
                _("another system"),
                _("placed by another system that uses the account"),
            )
        ]
    found = [Event(call.created_at, site, _("put in the queue"))]
    if call.claimed_at is not None:
        found.append(Event(call.claimed_at, site, _("asked the provider")))
    if (
        call.state == CallRequest.State.UNKNOWN
        and call.placed_at is not None
        and not call.provider_id
    ):
        found.append(
            Event(
                call.placed_at, site, _("no answer came that could be read"), call.error_code, "bad"
            )
        )
    return found


def _of_status(status: CallStatus) -> Event:
    raw = "" if status.raw_state in ("", "ok", status.state) else f"“{status.raw_state}”"
    told = [raw, _money(status.price), _seconds(status.duration), _dated(status)]
    return Event(
        status.received_at,
        status.get_source_display(),
        "",
        status.get_state_display(),
        TONES.get(status.state, "plain"),
        ", ".join(filter(None, told)),
        json.dumps(status.payload, ensure_ascii=False, indent=2) if status.payload else "",
    )


def _money(price: Decimal | None) -> str:
    return "" if price is None else _("price %(price)s") % {"price": rubles(price)}


def _seconds(duration: int | None) -> str:
    return "" if duration is None else _("%(seconds)d s") % {"seconds": duration}


def _dated(status: CallStatus) -> str:
    """The provider's own date, where it is another minute than that of the line."""
    if (
        status.occurred_at is None
        or abs((status.received_at - status.occurred_at).total_seconds()) < 60
    ):
        return ""
    moment = (
        timezone.localtime(status.occurred_at)
        if timezone.is_aware(status.occurred_at)
        else status.occurred_at
    )
    return _("dated %(moment)s") % {"moment": moment.strftime("%d.%m.%Y %H:%M:%S")}
