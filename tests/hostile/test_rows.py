"""Rows of the daily statistics: the fast reader returns the same as the slow one.

It caches no long values.
"""

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
unusual = st.one_of(
    hostile.values,
    st.sampled_from(
        [*USUAL_ROW.values(), SECRET, f"id79990000001x{SECRET}", "+7 999 000-00-01    "]
    ),
)
rows = st.fixed_dictionaries(
    {name: st.one_of(st.just(value), st.just(value), unusual) for name, value in USUAL_ROW.items()},
    optional={"more": unusual, "code": unusual},
)


def read_slowly(row: Any) -> DailyRow | None:
    try:
        return row_of(parse_report(row, SECRET))
    except UnreadableReply:
        return None


def read_fast(reader: RowReader, row: Any) -> DailyRow | None:
    try:
        return reader.read(row)
    except UnreadableReply:
        return None


def comparable(row: DailyRow | None) -> Any:
    """Decode the payload, and the date if the fast reader left it as text."""
    if row is None:
        return None
    date = read_date(row.date) if isinstance(row.date, str) else row.date
    return row._replace(date=date, payload=json.loads(row.payload))


@hostile.thorough
@given(st.lists(rows, min_size=1, max_size=5))
def test_the_fast_reader_returns_the_same_as_the_slow_one(many: list[dict[str, Any]]) -> None:
    reader = RowReader(SECRET)
    for row in [USUAL_ROW, *many, *many]:
        assert comparable(read_fast(reader, row)) == comparable(read_slowly(row))


@hostile.thorough
@given(
    hostile.values,
    st.lists(st.tuples(st.sampled_from([*USUAL_ROW, "more"]), hostile.values), max_size=4),
)
def test_every_row_is_read_or_refused_by_the_documented_error(
    value: Any, changes: list[tuple[str, Any]]
) -> None:
    reader = RowReader(SECRET)
    reader.read(USUAL_ROW)
    for row in (value, {**USUAL_ROW, **dict(changes)}, dict(changes)):
        read = read_fast(reader, row)
        if read is not None:
            for text, longest in (
                (read.id, 64),
                (read.number, 15),
                (read.outcome.raw_state, 64),
                (read.outcome.service, 64),
            ):
                assert len(text) <= longest
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
        stored = f"{read.payload} {read.outcome.raw_state} {read.outcome.service}"
        for secret in (SECRET[:19], "4821", "7999000", "+7 999 000"):
            assert secret not in stored


def test_long_values_are_not_cached() -> None:
    reader = RowReader()
    for number in range(50):
        reader.read({**USUAL_ROW, "service": f"{number}{'x' * 100_000}"})
    assert len(reader._cache) == 0
