"""The events of a call in the order in which they happened, with the source of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.admin.models import LogEntry
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from django_voicepassword.admin.badges import tone_of
from django_voicepassword.admin.columns import short_moment
from django_voicepassword.admin.error_names import purpose_name
from django_voicepassword.models import CallRequest, CallStatus, Verification, money
from django_voicepassword.security import masking

#: Status of a verification that is over -> who ended it, and what happened.
_END_OF: dict[str, tuple[str, str]] = {
    Verification.Status.APPROVED: (gettext_noop("customer"), gettext_noop("typed the right code")),
    Verification.Status.EXPIRED: (
        gettext_noop("this site"),
        gettext_noop("the time to type the code was over"),
    ),
    Verification.Status.MAX_ATTEMPTS: (
        gettext_noop("this site"),
        gettext_noop("no attempts were left: the code is no longer valid"),
    ),
    Verification.Status.CANCELED: (
        gettext_noop("this site"),
        gettext_noop("canceled: the code is no longer valid"),
    ),
}


@dataclass(frozen=True)
class Event:
    """A line of the timeline.

    ``source`` says who reported or did it, ``text`` what happened. ``state`` is a state or an
    error code, shown as a badge in ``tone``. ``payload`` is the provider's report as JSON.
    """

    moment: datetime
    source: str
    text: str
    state: str = ""
    tone: str = "plain"
    details: str = ""
    payload: str = ""


def events(
    call: CallRequest,
    statuses: Iterable[CallStatus],
    entries: Iterable[LogEntry] = (),
    name_of: Callable[[object], str] = masking.mask_name,
) -> list[Event]:
    """Return the events of a call, oldest first.

    ``entries`` are those of the admin's history: what the staff did about the call. ``name_of``
    returns how a user is shown.
    """
    timeline = [*verification_events(call.verification), *_call_events(call)]
    timeline += [_status_event(status, call.channel) for status in statuses]
    timeline += [
        Event(entry.action_time, _("staff"), f"{name_of(entry.user)}: {entry.get_change_message()}")
        for entry in entries
    ]
    # The sort is stable: events of the same moment stay in the order of their creation.
    return sorted(timeline, key=lambda event: event.moment)


def verification_events(verification: Verification | None) -> list[Event]:
    """Return how a verification began, what was typed, and how it ended, oldest first."""
    if verification is None:
        return []
    customer = _("customer")
    started = _("asked for a code: %(purpose)s") % {"purpose": purpose_name(verification.purpose)}
    timeline = [Event(verification.created_at, customer, started)]
    status = Verification.Status(verification.current_status)
    is_approved = status == Verification.Status.APPROVED
    # The times of guesses are not kept, but none comes after the end.
    end = verification.closed_at or verification.approved_at
    end = end or min(verification.expires_at, timezone.now())
    wrong = verification.attempts - is_approved
    if wrong > 0:
        text = ngettext("typed %(count)d wrong code", "typed %(count)d wrong codes", wrong)
        timeline.append(Event(end, customer, text % {"count": wrong}))
    source, text = _END_OF.get(status, ("", ""))
    if is_approved and verification.purpose == "login" and verification.user_id is not None:
        text = gettext_noop("typed the right code and logged in")
    if text:
        tone = "good" if is_approved else "plain"
        timeline.append(Event(end, _(source), _(text), str(status.label), tone))
    return timeline


def _call_events(call: CallRequest) -> list[Event]:
    if call.origin == CallRequest.Origin.IMPORTED:
        text = _("placed by another system that uses the account")
        return [Event(call.created_at, _("another system"), text)]
    site = _("this site")
    timeline = [Event(call.created_at, site, _("put in the queue"))]
    if call.claimed_at is not None:
        timeline.append(Event(call.claimed_at, site, _("asked the provider")))
    is_reply_lost = call.state == CallRequest.State.UNKNOWN and not call.provider_id
    if is_reply_lost and call.placed_at is not None:
        text = _("no answer came that could be read")
        timeline.append(Event(call.placed_at, site, text, call.error_code, "bad"))
    return timeline


def _status_event(status: CallStatus, channel: str) -> Event:
    raw_state = ""
    if status.raw_state not in ("", "ok", status.state):
        raw_state = _("“%(word)s”") % {"word": status.raw_state}
    details = [
        raw_state,
        _price_text(status.price),
        _duration_text(status.duration),
        _provider_date_text(status),
        _repeats_text(status.repeats),
    ]
    return Event(
        status.received_at,
        status.get_source_display(),
        "",
        status.get_state_display(),
        tone_of(status.state, channel),
        ", ".join(filter(None, details)),
        json.dumps(status.payload, ensure_ascii=False, indent=2) if status.payload else "",
    )


def _price_text(price: Decimal | None) -> str:
    return "" if price is None else _("price %(price)s") % {"price": money.exact(price)}


def _duration_text(duration: int | None) -> str:
    return "" if duration is None else _("%(seconds)d s") % {"seconds": duration}


def _repeats_text(repeats: int) -> str:
    if not repeats:
        return ""
    return ngettext(
        "and %(count)d more time the same", "and %(count)d more times the same", repeats
    ) % {"count": repeats}


def _provider_date_text(status: CallStatus) -> str:
    """Return the provider's own date, unless it is within a minute of when the report came."""
    if (
        status.occurred_at is None
        or abs((status.received_at - status.occurred_at).total_seconds()) < 60
    ):
        return ""
    return _("dated %(moment)s") % {"moment": short_moment(status.occurred_at, "%H:%M:%S")}
