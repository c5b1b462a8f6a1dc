"""The columns of an exported call, and how the values of each become cells of a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib.auth import get_user_model
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.security import masking

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

Cell = str | int | float | Decimal | datetime | None
#: Turns the value of a field into a cell.
Converter = Callable[[Any], Cell]


class Column(NamedTuple):
    """``kind`` is a key of ``converters``. The empty ``field`` is the name of the user."""

    title: _StrPromise
    field: str
    kind: str


COLUMNS = [
    Column(gettext_lazy("created"), "created_at", "moment"),
    Column(gettext_lazy("phone"), "phone", "phone"),
    Column(gettext_lazy("channel"), "channel", "choice"),
    Column(gettext_lazy("state"), "state", "choice"),
    Column(gettext_lazy("error code"), "error_code", "text"),
    Column(gettext_lazy("verification"), "verification__status", "choice"),
    Column(gettext_lazy("purpose"), "verification__purpose", "text"),
    Column(gettext_lazy("attempts"), "verification__attempts", "number"),
    Column(gettext_lazy("user"), "", "user"),
    Column(gettext_lazy("price"), "price", "price"),
    Column(gettext_lazy("duration, seconds"), "duration", "number"),
    Column(gettext_lazy("origin"), "origin", "choice"),
    Column(gettext_lazy("provider id"), "provider_id", "text"),
    Column(gettext_lazy("service"), "service", "text"),
    Column(gettext_lazy("placed"), "placed_at", "moment"),
    Column(gettext_lazy("finished"), "finished_at", "moment"),
    Column(gettext_lazy("provider's date"), "occurred_at", "moment"),
    Column(gettext_lazy("listed by the provider"), "listed_at", "moment"),
    Column(gettext_lazy("difference"), "difference", "difference"),
]
#: Characters that begin a formula in a spreadsheet, also after a comma or a semicolon. A program
#: that expects the other separator splits the text there, and the rest becomes a cell of its own.
_FORMULA = re.compile(r"(^|[,;])(?=\s*[=+\-@＝＋－＠])")


def field_names() -> list[str]:
    """Return the field of each column, for ``values_list``."""
    user = f"verification__user__{get_user_model().USERNAME_FIELD}"
    return [column.field or user for column in COLUMNS]


def titles(zone: tzinfo) -> list[str]:
    """Return the title of each column in the active language; those of moments name the zone."""
    return [
        capfirst(f"{column.title} ({zone})" if column.kind == "moment" else str(column.title))
        for column in COLUMNS
    ]


def converters(zone: tzinfo, whole_phones: bool) -> dict[str, Converter]:
    """Return kind -> converter, with the words of the active language."""
    choices = (CallRequest.Channel, CallRequest.State, CallRequest.Origin, Verification.Status)
    labels = {value: capfirst(str(label)) for group in choices for value, label in group.choices}
    flags = {flag.value: str(flag.label) for flag in CallRequest.Difference}
    differences = {
        value: ", ".join(label for flag, label in flags.items() if value & flag)
        for value in range(2 * max(flags))
    }

    def to_local(moment: datetime | None) -> datetime | None:
        # Neither CSV nor XLSX knows time zones: the moment loses its own after the conversion.
        if moment is not None and moment.tzinfo is not None:
            moment = moment.astimezone(zone)
        return None if moment is None else moment.replace(tzinfo=None, microsecond=0)

    return {
        "moment": to_local,
        "phone": "+{}".format if whole_phones else masking.mask,
        "choice": lambda value: labels.get(value, value),
        "text": escape_formula,
        "user": escape_formula
        if whole_phones
        else lambda name: escape_formula(name and masking.mask_name(name)),
        "number": lambda number: number,
        "price": lambda price: price,
        "difference": lambda value: differences.get(value, ""),
    }


def escape_formula(text: str | None) -> str:
    """Return ``text`` on one line, with an apostrophe before what would be a formula.

    Users and the provider wrote these texts. A spreadsheet that calculates them could send data to
    an attacker (CSV injection).
    """
    if not text:
        return ""
    return _FORMULA.sub(r"\1'", text.strip() if text.isprintable() else masking.clean_text(text))
