"""Single fields at their bounds: the last accepted value and the first rejected one."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from django_voicepassword.provider.protocol import fields

MOSCOW = timezone(timedelta(hours=3))


def test_keys_are_stripped_and_casefolded() -> None:
    payload: dict[Any, int] = {" Message\t": 1, "ID": 2, 5: 3}
    assert fields.strip_keys(payload) == {"message": 1, "id": 2, "5": 3}


@pytest.mark.parametrize("value", [None, "", "  ", "\x00", True, False, {}, [], {"a": 1}, ["a"]])
def test_a_value_that_is_not_text_is_none(value: Any) -> None:
    assert fields.read_text(value, 10) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (" a ", "a"),
        (12, "12"),
        (0.5, "0.5"),
        ("abcd", "abc"),
        (" " * 9 + "abc", "abc"),
        (" " * 10 + "abc", "ab"),
    ],
)
def test_a_text_is_cut_and_leading_blanks_are_limited(value: Any, text: str) -> None:
    assert fields.read_text(value, 3) == text


@pytest.mark.parametrize(
    ("value", "price"),
    [
        ("0.35", "0.35"),
        (0.35, "0.35"),
        ("0,35", "0.35"),
        ("5", "5.00"),
        ("0.3500", "0.35"),
        ("0.12346", "0.1235"),
        ("99999999", "99999999.00"),
        ("99999999.9999", "99999999.9999"),
        # Rounded, it would have one digit more than the database column.
        ("99999999.99999", "None"),
        ("100000000", "None"),
        ("-1", "None"),
        ("+1", "None"),
        ("1 000", "1000.00"),
        ("1,000.50", "1000.50"),
        ("3,30", "3.30"),
        ("3.30 р.", "3.30"),
        ("0,350", "0.35"),
        ("1e3", "None"),
        # Blanks around a price are limited: cut after the first digit, the price would change.
        (f"0.35{' ' * 92}", "0.35"),
        (f"1{' ' * 95}2", "None"),
        ("٣", "None"),
        ("x", "None"),
        (None, "None"),
    ],
)
def test_a_price_is_read_within_its_bounds(value: Any, price: str) -> None:
    assert str(fields.read_price(value)) == price


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("999.00", "999.00"),
        ("-12.5", "-12.50"),
        ("+3", "3.00"),
        ("-0", "0.00"),
        ("1 234,50", "1234.50"),
        ("1\u00a0234.5", "1234.50"),
        ("1\u202f234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("1,234", "1234.00"),
        ("-1,234.50", "-1234.50"),
        ("\u22121 234,50", "-1234.50"),
        ("12,345,678.90", "12345678.90"),
        ("12 345 678,90", "12345678.90"),
        ("12'345'678.90", "12345678.90"),
        ("12.345.678", "12345678.00"),
        ("1.234,50", "1234.50"),
        ("999,50", "999.50"),
        ("-1 234,50 руб.", "-1234.50"),
        ("999.00 RUB", "999.00"),
        ("999₽", "999.00"),
        ("999 apples", "None"),
        ("руб.", "None"),
        ("1.234", "1.234"),
        ("0,350", "0.35"),
        ("1234,567", "1234.567"),
        ("1,2345", "1.2345"),
        # Neither a group nor a part: no guess.
        ("1,234,50", "None"),
        ("12,34,567", "None"),
        ("1,234 567", "None"),
        ("1.234.50", "None"),
        ("1 2", "None"),
        ("--1", "None"),
        ("9999999999.9999", "9999999999.9999"),
        ("9999999999.99999", "None"),
        ("-9999999999.99999", "None"),
        ("1 234 567 890.123460", "1234567890.1235"),
        (f"1{' ' * 31}2", "None"),
        (f"1{' ' * 140}2", "None"),
        ("10000000000", "None"),
        ("1e9", "None"),
        ("", "None"),
        (None, "None"),
    ],
)
def test_a_balance_is_read_within_its_bounds(value: Any, amount: str) -> None:
    assert str(fields.read_amount(value)) == amount


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1", 1),
        (4, 4),
        ("00:04", 4),
        ("02:03", 123),
        ("1:02:03", 3723),
        ("168:00:00", 7 * 24 * 3600),
        ("168:00:01", None),
        ("604800", 604800),
        ("604801", None),
        ("1000:00", None),
        (f"1{' ' * 63}2", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_a_duration_is_read_within_its_bounds(value: Any, seconds: int | None) -> None:
    assert fields.read_duration(value) == seconds


@pytest.mark.parametrize(
    ("value", "date"),
    [
        ("2020-02-02 15:18:48", datetime(2020, 2, 2, 15, 18, 48)),
        ("2020-02-02T15:18:48", datetime(2020, 2, 2, 15, 18, 48)),
        (" 11.09.2020 13:34:39 ", datetime(2020, 9, 11, 13, 34, 39)),
        ("02/03/2020 15:18:48", datetime(2020, 3, 2, 15, 18, 48)),
        ("2020/03/02 15:18:48", datetime(2020, 3, 2, 15, 18, 48)),
        ("02-03-2020 15:18:48", datetime(2020, 3, 2, 15, 18, 48)),
        ("2020-02-02 15:18:48.25", datetime(2020, 2, 2, 15, 18, 48, 250_000)),
        ("02.02.2020 15:18:48,123456789", datetime(2020, 2, 2, 15, 18, 48, 123_456)),
        ("2020-02-02T15:18:48Z", datetime(2020, 2, 2, 18, 18, 48, tzinfo=MOSCOW)),
        ("2020-02-02 15:18:48 GMT", datetime(2020, 2, 2, 18, 18, 48, tzinfo=MOSCOW)),
        ("2020-02-02 15:18:48 MSK", datetime(2020, 2, 2, 15, 18, 48, tzinfo=MOSCOW)),
        ("2020-02-02 15:18:48 МСК", datetime(2020, 2, 2, 15, 18, 48, tzinfo=MOSCOW)),
        ("11.09.2020 13:34", datetime(2020, 9, 11, 13, 34)),
        ("11.09.2020, 9:34:39", datetime(2020, 9, 11, 9, 34, 39)),
        ("2020-02-02t15:18z", datetime(2020, 2, 2, 18, 18, tzinfo=MOSCOW)),
        ("2020-02-02T15:18:48.000+03:00", datetime(2020, 2, 2, 15, 18, 48, tzinfo=MOSCOW)),
        ("02/02/2020 15:18:48 +0300", datetime(2020, 2, 2, 15, 18, 48, tzinfo=MOSCOW)),
        ("02.02.2020 15:18:48 UTC+03", datetime(2020, 2, 2, 15, 18, 48, tzinfo=MOSCOW)),
        ("2020-02-02 15:18:48-09:30", datetime(2020, 2, 3, 3, 48, 48, tzinfo=MOSCOW)),
        ("2020-02-02 15:18:48+99:00", None),
        ("0001-01-01 00:00:00+14:00", None),
        ("2020-02/02 15:18:48", None),
        # No month has the number 13: the day is first.
        ("02/13/2020 15:18:48", None),
        ("2020-02-02 24:00:00", None),
        ("2020-02-30 15:18:48", None),
        ("2020-02-02", None),
        (f"2020-02-02 15:18:48{' ' * 109}x", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_read_in_its_formats(value: Any, date: datetime | None) -> None:
    read = fields.read_date(value)
    assert read == date
    assert (read and read.utcoffset()) == (date and date.utcoffset())


@pytest.mark.parametrize(
    ("value", "count"),
    [("0", 0), (12, 12), ("1 000", 1000), ("1,000", 1000), ("1.5", None), ("-1", None), ("", None)],
)
def test_a_number_of_rows_is_whole(value: Any, count: int | None) -> None:
    assert fields.read_count(value) == count
