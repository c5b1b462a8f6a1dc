"""The story of a customer: one card for each attempt, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from django_voicepassword.admin import refusal_texts
from django_voicepassword.admin.addresses import page_address
from django_voicepassword.admin.badges import call_badge, verification_badge
from django_voicepassword.admin.columns import call_words, price_and_duration, short_moment
from django_voicepassword.admin.error_names import purpose_name
from django_voicepassword.admin.timeline import verification_events
from django_voicepassword.history import Reader
from django_voicepassword.history.attempts import Attempt
from django_voicepassword.models import CallRequest, RefusedAttempt, Verification
from django_voicepassword.security import masking


@dataclass(frozen=True)
class Line:
    """Something that happened in an attempt. ``address`` leads to the page of the call."""

    moment: datetime
    text: str
    badge: str = ""
    details: str = ""
    address: str = ""


@dataclass(frozen=True)
class Card:
    """An attempt as the page shows it; its ``lines`` are in the order in which they happened.

    ``phone`` is masked, and empty where the customer has no other number.
    """

    moment: datetime
    title: str
    badge: str
    lines: Sequence[Line]
    phone: str = field(default="", repr=False)
    address: str = ""
    note: str = ""


class Story:
    """Makes the cards of a customer's attempts for one reader."""

    def __init__(self, site: AdminSite, attempts: list[Attempt], reader: Reader) -> None:
        self._site = site
        self._attempts = attempts
        self._is_whole = reader.sees_whole_numbers
        self._has_numbers = len({attempt.phone for attempt in attempts}) > 1

    @cached_property
    def cards(self) -> list[Card]:
        staff = self._staff_lines()
        holders = self._earlier_holders()
        return [self._card(attempt, staff, holders) for attempt in self._attempts]

    def _card(
        self, attempt: Attempt, staff: dict[str, list[Line]], holders: dict[int, str]
    ) -> Card:
        phone = masking.mask(attempt.phone) if self._has_numbers else ""
        if attempt.refusal is not None:
            return _refused(attempt.refusal, phone)
        lines = [line for call in attempt.calls for line in self._call_lines(call, staff)]
        verification = attempt.verification
        if verification is None:
            title = _("placed by another system that uses the account")
            return Card(attempt.moment, title, call_badge(attempt.calls[0]), lines, phone)
        lines += _verification_lines(verification)
        lines.sort(key=lambda line: line.moment)
        return Card(
            attempt.moment,
            _("asked for a code: %(purpose)s") % {"purpose": purpose_name(verification.purpose)},
            verification_badge(verification),
            lines,
            phone,
            verification.ip or "",
            holders.get(id(attempt), ""),
        )

    def _call_lines(self, call: CallRequest, staff: dict[str, list[Line]]) -> Iterator[Line]:
        words = call_words(call)
        yield Line(
            call.created_at,
            str(call.get_channel_display()),
            words,
            price_and_duration(call),
            page_address(self._site, "django_voicepassword_callrequest_change", call.pk),
        )
        yield from staff.get(str(call.pk), [])

    def _staff_lines(self) -> dict[str, list[Line]]:
        """Return what the staff did, by the key of the call with which it was noted."""
        keys = [str(call.pk) for attempt in self._attempts for call in attempt.calls]
        kind = ContentType.objects.get_for_model(CallRequest)
        entries = LogEntry.objects.filter(content_type=kind, object_id__in=keys)
        lines: dict[str, list[Line]] = {}
        for entry in entries.select_related("user").order_by("pk"):
            name = str(entry.user) if self._is_whole else masking.mask_name(entry.user)
            text = f"{name}: {entry.get_change_message()}"
            lines.setdefault(str(entry.object_id), []).append(Line(entry.action_time, text))
        return lines

    def _earlier_holders(self) -> dict[int, str]:
        """Return attempt -> a note that the number changed hands, or the customer the number."""
        notes: dict[int, str] = {}
        users: dict[str, object] = {}
        numbers: dict[object, str] = {}
        for attempt in reversed(self._attempts):
            user = attempt.verification.user if attempt.verification else None
            if user is None or attempt.verification.approved_at is None:  # type: ignore[union-attr]
                continue
            name = str(user) if self._is_whole else masking.mask_name(user)
            if users.get(attempt.phone, user) != user:
                notes[id(attempt)] = _("The number became that of %(user)s.") % {"user": name}
            elif numbers.get(user, attempt.phone) != attempt.phone:
                values = {"user": name, "phone": masking.mask(attempt.phone)}
                notes[id(attempt)] = _("%(user)s proved another number: %(phone)s.") % values
            users[attempt.phone], numbers[user] = user, attempt.phone
        return notes


def _verification_lines(verification: Verification) -> Iterable[Line]:
    # The first event says that a code was asked for, as the title of the card does.
    for event in verification_events(verification)[1:]:
        yield Line(event.moment, f"{event.source}: {event.text}")


def _refused(row: RefusedAttempt, phone: str) -> Card:
    lines = []
    if row.count > 1:
        text = ngettext(
            "%(count)d time since %(moment)s", "%(count)d times since %(moment)s", row.count
        )
        values = {"count": row.count, "moment": short_moment(row.first_at)}
        lines.append(Line(row.last_at, text % values))
    advice = refusal_texts.advice(row.reason)
    title = _("nothing was sent: %(reason)s") % {"reason": refusal_texts.name(row.reason)}
    return Card(row.last_at, title, "", lines, phone, row.address, advice)
