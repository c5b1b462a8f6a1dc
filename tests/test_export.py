"""An exported call history, read back by csv and openpyxl, is complete and safe to open."""

from __future__ import annotations

import csv
import io
import tempfile
import traceback
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from django_voicepassword.history import export
from django_voicepassword.history.export import Export
from django_voicepassword.models import CallRequest
from tests.api.staff import NOON, PHONE, make, verified
from tests.spreadsheet_formulas import FORMULAS

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parent.parent


def read_csv(calls: Any = None, delimiter: str = ",", **options: Any) -> list[dict[str, str]]:
    """Export as CSV and return the rows as Python's csv module reads them."""
    data = b"".join(Export(CallRequest.objects.all() if calls is None else calls, **options).csv())
    return list(
        csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter)
    )


def read_xlsx(calls: Any = None, **options: Any) -> list[dict[str, Any]]:
    """Export as XLSX and return the rows as openpyxl reads them."""
    file = io.BytesIO()
    Export(CallRequest.objects.all() if calls is None else calls, **options).xlsx(file)
    sheet = openpyxl.load_workbook(file).active
    titles, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(titles, row, strict=True)) for row in rows]


READERS = pytest.mark.parametrize("read", [read_csv, read_xlsx])


def complete_call(**values: Any) -> CallRequest:
    """Create a call that has a value for most columns."""
    defaults = {
        "price": "0.35",
        "duration": 3,
        "provider_id": "id-1",
        "service": "Voice Password",
        "placed_at": NOON + timedelta(seconds=1),
        "listed_at": NOON + timedelta(days=1),
        "difference": 3,
    }
    return verified(**{**defaults, **values})


def test_a_csv_has_every_column_for_english_readers() -> None:
    complete_call()
    (row,) = read_csv()
    assert row == {
        "Created (Europe/Moscow)": "2026-03-10 12:00:00",
        "Phone": "'+7 *** ***-**-67",
        "Channel": "Flash call",
        "State": "No answer",
        "Error code": "",
        "Verification": "Approved",
        "Purpose": "login",
        "Attempts": "2",
        "User": "anna",
        "Price": "0.35",
        "Duration, seconds": "3",
        "Origin": "This site",
        "Provider id": "id-1",
        "Service": "Voice Password",
        "Placed (Europe/Moscow)": "2026-03-10 12:00:01",
        "Finished (Europe/Moscow)": "",
        "Provider's date (Europe/Moscow)": "",
        "Listed by the provider (Europe/Moscow)": "2026-03-11 12:00:00",
        "Difference": "state, price",
    }


def test_a_csv_for_russian_readers_has_the_separators_of_their_excel() -> None:
    complete_call(service="Звонок; «пароль»")
    with translation.override("ru"):
        data = b"".join(Export(CallRequest.objects.all()).csv())
        (row,) = read_csv(delimiter=";")
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == 2
    assert (row["Цена"], row["Услуга"], row["Состояние"]) == (
        "0,35",
        "Звонок; «пароль»",
        "Нет ответа",
    )


def test_an_xlsx_has_typed_cells_for_numbers_dates_and_texts() -> None:
    complete_call(price="0.3512")
    (row,) = read_xlsx()
    assert row["Created (Europe/Moscow)"] == datetime(2026, 3, 10, 12)
    assert (row["Phone"], row["Price"], row["Duration, seconds"]) == ("+7 *** ***-**-67", 0.3512, 3)
    assert (row["Finished (Europe/Moscow)"], row["Error code"]) == (None, None)
    with translation.override("ru"):
        (row,) = read_xlsx()
    assert row["Состояние"] == "Нет ответа"


@READERS
def test_a_call_without_a_verification_is_exported_too(read: Callable[..., Any]) -> None:
    make(origin="imported")
    (row,) = read()
    assert {
        row[name] or ""
        for name in ("Verification", "Purpose", "Attempts", "User", "Price", "Difference")
    } == {""}
    assert row["Origin"] == "Imported"


@READERS
@pytest.mark.parametrize("text", FORMULAS)
def test_foreign_text_is_never_a_formula(read: Callable[..., Any], text: str) -> None:
    """CSV injection (OWASP): users choose their names, the provider chooses the other texts."""
    verified(username=text, error_code=text, service=text, provider_id=text)
    (row,) = read()
    for name in ("User", "Error code", "Service", "Provider id"):
        assert row[name].lstrip("x,; ").startswith("'")
        assert not row[name].startswith(("=", "+", "-", "@", "\t", "\r", " ", "＝"))
        # A program that expects the other delimiter would split the text here.
        for delimiter in ",;":
            assert all(
                not part.lstrip().startswith(("=", "+", "-", "@"))
                for part in row[name].split(delimiter)
            )


def test_a_text_cell_of_an_xlsx_stays_text_when_it_is_edited() -> None:
    verified(error_code="=1+1")
    file = io.BytesIO()
    Export(CallRequest.objects.all(), whole_phones=True).xlsx(file)
    sheet = openpyxl.load_workbook(file).active
    cells = {
        sheet.cell(1, column).value: sheet.cell(2, column)
        for column in range(1, sheet.max_column + 1)
    }
    for name in ("Phone", "Error code"):
        assert (cells[name].data_type, cells[name].number_format, cells[name].quotePrefix) == (
            "s",
            "@",
            True,
        )
    assert cells["Phone"].value == f"+{PHONE}"


@READERS
def test_each_row_is_one_line_even_if_a_text_has_line_breaks(read: Callable[..., Any]) -> None:
    verified(username='a\r\nb"c;d,e', service="x\ny\u2028z")
    (row,) = read()
    assert (row["User"], row["Service"]) == ('a  b"c;d,e', "x y z")
    assert len(b"".join(Export(CallRequest.objects.all()).csv()).splitlines()) == 2


@READERS
def test_numbers_are_masked_unless_whole_phones_is_set(read: Callable[..., Any]) -> None:
    verified(username=PHONE)
    (masked,), (whole,) = read(), read(whole_phones=True)
    assert PHONE not in str(masked)
    assert {masked["Phone"].lstrip("'"), masked["User"].lstrip("'")} == {"+7 *** ***-**-67"}
    assert (whole["Phone"].lstrip("'"), whole["User"]) == (f"+{PHONE}", PHONE)


@pytest.mark.parametrize(
    ("zone", "hour"), [("UTC", 9), ("Europe/Moscow", 12), ("Asia/Vladivostok", 19)]
)
def test_times_are_in_the_readers_time_zone(zone: str, hour: int) -> None:
    make()
    with timezone.override(zone):
        download = Export(CallRequest.objects.all())
    # A stream is written after the time zone and language of the request were deactivated.
    with translation.override("ru"):
        (row,) = csv.DictReader(
            io.StringIO(b"".join(download.csv()).decode("utf-8-sig"), newline="")
        )
    assert row[f"Created ({zone})"] == f"2026-03-10 {hour:02}:00:00"
    assert row["State"] == "No answer"


def test_times_of_a_site_without_time_zones_are_exported_unchanged(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 1)
    settings.USE_TZ = False
    moment = datetime(2026, 3, 10, 12)
    for number in range(3):
        make(created_at=moment, claimed_at=moment, provider_id=str(number))
    assert [row["Provider id"] for row in read_csv()] == ["2", "1", "0"]
    assert {row["Created (Europe/Moscow)"] for row in read_csv()} == {"2026-03-10 12:00:00"}


@READERS
@pytest.mark.parametrize("count", [0, 1, 4, 5, 12])
def test_chunks_make_one_list_newest_first(
    read: Callable[..., Any], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 4)
    for number in range(count):
        # Three calls at each moment.
        make(provider_id=f"id-{number}", created_at=NOON + timedelta(seconds=number // 3))
    make(provider_id="other", state="busy")
    calls = (
        CallRequest.objects.filter(state="no_answer")
        .order_by("price")
        .select_related("verification")
    )
    assert [row["Provider id"] for row in read(calls)] == [
        f"id-{number}" for number in range(count)
    ][::-1]


def test_calls_added_or_deleted_during_an_export_do_not_break_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export, "CHUNK", 2)
    for number in range(4):
        make(provider_id=f"id-{number}")
    chunks = Export(CallRequest.objects.all()).csv()
    first = next(chunks)
    make(provider_id="new", created_at=NOON + timedelta(days=1))
    CallRequest.objects.filter(provider_id="id-2").delete()
    assert b"new" not in b"".join([first, *chunks])


def test_each_chunk_takes_one_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "CHUNK", 10)
    for number in range(25):
        verified(f"user-{number}", provider_id=str(number))
    with CaptureQueriesContext(connection) as captured:
        assert len(read_csv()) == 25
    assert len(captured) == 3
    plan = CallRequest.objects.order_by("-created_at", "-id")[:10].explain()
    assert "TEMP B-TREE" not in plan


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_memory_does_not_grow_with_the_number_of_rows(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "CHUNK", 100)
    CallRequest.objects.bulk_create(
        CallRequest(
            phone=f"7999{number:07}",
            channel="voice",
            state="busy",
            claimed_at=NOON,
            service="Voice Password",
        )
        for number in range(4000)
    )

    def peak(count: int) -> int:
        """Return the peak memory of an export of the newest ``count`` calls."""
        oldest_pk = CallRequest.objects.order_by("-pk").values_list("pk", flat=True)[count - 1]
        download = Export(CallRequest.objects.filter(pk__gte=oldest_pk))
        tracemalloc.start()
        try:
            with tempfile.TemporaryFile() as file:
                file.writelines(download.csv()) if kind == "csv" else download.xlsx(file)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    # 3500 more rows in memory would take several megabytes.
    assert peak(4000) - peak(500) < 1_000_000


def test_a_sheet_that_is_too_long_is_refused_and_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(export, "MOST_XLSX_ROWS", 5)
    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for _ in range(5):
        make()
    assert len(read_xlsx()) == 5
    make()
    with pytest.raises(export.TooManyRows, match=r"holds 5 rows.*choose CSV"):
        read_xlsx()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_traceback_shows_no_whole_number(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Error reports show the local variables of every frame."""

    def broken(*args: Any) -> None:
        raise RuntimeError("a bug")

    for _ in range(3):
        make()
    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr("django_voicepassword.history.filters.after_cursor", broken)
    download = Export(CallRequest.objects.all(), whole_phones=True)
    with pytest.raises(RuntimeError) as caught, tempfile.TemporaryFile() as file:
        file.writelines(download.csv()) if kind == "csv" else download.xlsx(file)
    locals_of_frames = [repr(frame.f_locals) for frame, _line in traceback.walk_tb(caught.tb)]
    assert len(locals_of_frames) > 2
    assert PHONE not in "".join(locals_of_frames)


def test_xlsx_is_not_offered_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert export.formats() == ["csv", "xlsx"]
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    assert export.formats() == ["csv"]
    with pytest.raises(CommandError, match=r"django-voicepassword\[xlsx\]"):
        call_command("voicepassword_export", "calls.xlsx")
