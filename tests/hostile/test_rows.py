"""Rows of daily statistics: the fast way reads what the slow way reads, and keeps no more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_voicepassword.exceptions import UnreadableReply
from django_voicepassword.provider.protocol import (
    DailyRow,
    RowReader,
    parse_report,
    read_date,
    row_of,
)
from tests.daily_row import USUAL_ROW
from tests.hostile import strategies as hostile

SECRET = "theSecretKeyOfTheAccount"
odd = st.one_of(
    hostile.values,
    st.sampled_from(
        [*USUAL_ROW.values(), SECRET, f"id79990000001x{SECRET}", "+7 999 000-00-01    "]
    ),
)
rows = st.fixed_dictionaries(
    {name: st.one_of(st.just(value), st.just(value), odd) for name, value in USUAL_ROW.items()},
    optional={"more": odd, "code": odd},
)


def slowly(row: Any) -> DailyRow | None:
    try:
        return row_of(parse_report(row, SECRET))
    except UnreadableReply:
        return None


def quickly(reader: RowReader, row: Any) -> DailyRow | None:
    try:
        return reader.read(row)
    except UnreadableReply:
        return None


def comparable(row: DailyRow | None) -> Any:
    """A date is text where it was read quickly; a payload is JSON."""
    if row is None:
        return None
    date = read_date(row.date) if isinstance(row.date, str) else row.date
    return row._replace(date=date, payload=json.loads(row.payload))


@hostile.thorough
@given(st.lists(rows, min_size=1, max_size=5))
def test_the_fast_way_reads_what_the_slow_way_reads(many: list[dict[str, Any]]) -> None:
    reader = RowReader(SECRET)
    for row in [USUAL_ROW, *many, *many]:
        assert comparable(quickly(reader, row)) == comparable(slowly(row))


@hostile.thorough
@given(
    hostile.values,
    st.lists(st.tuples(st.sampled_from([*USUAL_ROW, "more"]), hostile.values), max_size=4),
)
def test_no_row_raises_anything_else(value: Any, changes: list[tuple[str, Any]]) -> None:
    reader = RowReader(SECRET)
    reader.read(USUAL_ROW)
    for row in (value, {**USUAL_ROW, **dict(changes)}, dict(changes)):
        read = quickly(reader, row)
        if read is not None:
            assert (len(read.id), len(read.number), len(read.raw_state), len(read.service)) <= (
                64,
                15,
                64,
                64,
            )
            json.dumps(json.loads(read.payload), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date", "+7 999 000-00-01   "),
        ("date", "79990000001 8765432"),
        ("date", SECRET[:19]),
        ("id", f"x79990000001{SECRET}"),
        ("id", SECRET),
        ("price", "79990000001"),
        ("service", f"call to 79990000001 {SECRET} 4821"),
        ("state", "Успешно 79990000001 4821"),
        ("code", "4821"),
        ("note", "4821"),
    ],
)
def test_no_row_keeps_key_code_or_whole_number(name: str, value: str) -> None:
    reader = RowReader(SECRET[:19])
    for row in (USUAL_ROW, {**USUAL_ROW, name: value}, {**USUAL_ROW, name: value}):
        read = reader.read(row)
        told = f"{read.payload} {read.raw_state} {read.service}"
        for secret in (SECRET[:19], "4821", "7999000", "+7 999 000"):
            assert secret not in told


def test_what_is_long_is_not_remembered() -> None:
    reader = RowReader()
    for number in range(50):
        reader.read({**USUAL_ROW, "service": f"{number}{'x' * 100_000}"})
    assert len(reader._cache) == 0
