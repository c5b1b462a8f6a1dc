"""Cells that the lists of the admin share: short moments, two lines, the columns of a call."""

from __future__ import annotations

from datetime import datetime

from django.contrib import admin
from django.utils import timezone
from django.utils.formats import date_format, get_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_voicepassword.admin.badges import badge, call_badge, tone_of
from django_voicepassword.admin.error_names import error_name, purpose_name
from django_voicepassword.models import CallRequest, Verification, money


def short_moment(moment: datetime, time_format: str = "%H:%M") -> str:
    """Return the moment in the active time zone, with the short date of the language."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:{time_format}}"


def list_moment(moment: datetime) -> str:
    """Return what ``short_moment`` does, without the year where it is the current one."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    if local.year != timezone.localdate().year:
        return short_moment(moment)
    day_format = get_format("SHORT_DATE_FORMAT").replace("Y", "").strip("./- ")
    return f"{date_format(local, day_format)} {local:%H:%M}"


def two_lines(first: str, second: str) -> str:
    """Render ``second`` in small print below ``first``."""
    return format_html('{}<small class="vp-second">{}</small>', first, second) if second else first


def call_words(call: CallRequest) -> str:
    """Render the state of a call, or the name of its error where it was refused or is unknown."""
    if call.error_code and call.state in (CallRequest.State.REFUSED, CallRequest.State.UNKNOWN):
        return badge(tone_of(call.state, call.channel), error_name(call.error_code))
    return call_badge(call)


def price_and_duration(call: CallRequest) -> str:
    """Return the price and the duration of a call, as far as they are known: ``0.35, 4 s``."""
    price = "" if call.price is None else money.exact(call.price)
    duration = ngettext("%d s", "%d s", call.duration) % call.duration if call.duration else ""
    return ", ".join(filter(None, [price, duration]))


def counts(verification: Verification) -> str:
    """Return the purpose, the attempts and the sends: ``login, attempts: 1, sends: 2``."""
    return _("%(purpose)s, attempts: %(attempts)d, sends: %(sends)d") % {
        "purpose": purpose_name(verification.purpose),
        "attempts": verification.attempts,
        "sends": verification.sends,
    }


class CreatedColumn:
    """The moment in which a row was created, short enough for a narrow column."""

    @admin.display(description=gettext_lazy("created"), ordering="created_at")
    def created_short(self, row: CallRequest | Verification) -> str:
        return list_moment(row.created_at)


class StatusBadges(CreatedColumn):
    """Columns of calls, in their list and on the page of their verification."""

    @admin.display(description=gettext_lazy("state"))
    def state_badge(self, call: CallRequest) -> str:
        return call_badge(call)

    @admin.display(description=gettext_lazy("price"))
    def price_short(self, call: CallRequest) -> str:
        return "" if call.price is None else money.exact(call.price)

    @admin.display(description=gettext_lazy("duration"))
    def duration_seconds(self, call: CallRequest) -> str:
        seconds = call.duration
        return "" if seconds is None else ngettext("%d s", "%d s", seconds) % seconds
