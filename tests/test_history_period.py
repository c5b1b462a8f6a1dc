"""A period out of a query: ``from`` and ``to``."""

from __future__ import annotations

from datetime import date

import pytest
from django.utils import translation

from django_voicepassword.history.period import (
    DEFAULT_DAYS,
    MAX_DAYS,
    InvalidPeriod,
    Problem,
    parse_day,
    read_period,
)

TODAY = date(2026, 3, 10)


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, date(2026, 2, 9), TODAY),
        ({"from": "", "to": ""}, date(2026, 2, 9), TODAY),
        ({"from": "2026-03-10"}, TODAY, TODAY),
        ({"from": " 2026-03-01 "}, date(2026, 3, 1), TODAY),
        ({"to": "2026-03-05"}, date(2026, 2, 4), date(2026, 3, 5)),
        ({"from": "2023-03-11"}, date(2023, 3, 11), TODAY),
        ({"from": "2026-03-09", "to": "2026-03-12"}, date(2026, 3, 9), date(2026, 3, 12)),
        ({"from": "1970-01-01", "to": "1970-01-02"}, date(1970, 1, 1), date(1970, 1, 2)),
    ],
)
def test_a_period(query: dict[str, str], first: date, last: date) -> None:
    assert read_period(query, TODAY) == (first, last)


def test_the_default_and_the_longest_period() -> None:
    first, last = read_period({}, TODAY)
    assert (last - first).days + 1 == DEFAULT_DAYS
    first, last = read_period({"from": "2023-03-11"}, TODAY)
    assert (last - first).days + 1 == MAX_DAYS


def test_a_period_may_end_today_at_the_latest() -> None:
    query = {"from": "2026-03-09", "to": "2026-03-12"}
    assert read_period(query, TODAY, allow_future=False) == (date(2026, 3, 9), TODAY)
    with pytest.raises(InvalidPeriod) as caught:
        read_period({"from": "2026-03-11", "to": "2026-03-12"}, TODAY, allow_future=False)
    assert caught.value.problem is Problem.REVERSED


@pytest.mark.parametrize(
    ("query", "parameter", "problem"),
    [
        ({"from": "yesterday"}, "from", Problem.NOT_A_DATE),
        ({"from": "10.03.2026"}, "from", Problem.NOT_A_DATE),
        # Python's own parser takes the next two.
        ({"from": "20260310"}, "from", Problem.NOT_A_DATE),
        ({"to": "2026-W10-1"}, "to", Problem.NOT_A_DATE),
        ({"to": "2026-02-30"}, "to", Problem.NOT_A_DATE),
        ({"to": "２０２６-03-10"}, "to", Problem.NOT_A_DATE),
        ({"to": "1969-12-31"}, "to", Problem.NOT_A_DATE),
        ({"from": "2200-01-01"}, "from", Problem.NOT_A_DATE),
        ({"from": "2026-03-11"}, "from", Problem.REVERSED),
        ({"from": "2026-03-05", "to": "2026-03-04"}, "from", Problem.REVERSED),
        ({"from": "2023-03-10"}, "from", Problem.TOO_LONG),
    ],
)
def test_an_invalid_period(query: dict[str, str], parameter: str, problem: Problem) -> None:
    with pytest.raises(InvalidPeriod) as caught:
        read_period(query, TODAY)
    assert (caught.value.parameter, caught.value.problem) == (parameter, problem)
    english = str(caught.value)
    with translation.override("ru"), pytest.raises(InvalidPeriod) as caught:
        read_period(query, TODAY)
    assert str(caught.value) != english


def test_a_day() -> None:
    assert parse_day("from", "2026-03-10") == TODAY
