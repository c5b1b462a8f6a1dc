"""The page that asks for the format, and the download of what the list shows."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from django_voicepassword.admin import exporting
from django_voicepassword.history import cells, export
from tests.api.staff import NOON, PHONE, make, person, verified
from tests.export_site import ADDRESS

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.export_site")]
EXPORT = f"{ADDRESS}export/"


def client(*permissions: str, is_staff: bool = True, **options: Any) -> Client:
    browser = Client(**options)
    browser.force_login(person(*permissions, is_staff=is_staff))
    return browser


@pytest.fixture
def reader() -> Client:
    return client("view_callrequest")


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", answer.content.decode()))


@pytest.mark.parametrize("permissions", [(), ("view_verification", "view_full_phone")])
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_who_may_see_calls_may_take_them_away(
    permissions: tuple[str, ...], method: str
) -> None:
    assert getattr(client(*permissions), method)(EXPORT, {"format": "csv"}).status_code == 403
    for stranger in (Client(), client("view_callrequest", is_staff=False)):
        answer = getattr(stranger, method)(EXPORT, {"format": "csv"})
        assert (answer.status_code, "login" in answer.headers["Location"]) == (302, True)


def test_a_download_needs_the_token_of_the_page() -> None:
    browser = client("view_callrequest", enforce_csrf_checks=True)
    assert browser.post(EXPORT, {"format": "csv"}).status_code == 403
    page = browser.get(EXPORT).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    answer = browser.post(EXPORT, {"format": "csv", "csrfmiddlewaretoken": token[1]})
    assert (answer.status_code, rows_of(answer)) == (200, [])


def test_get_never_downloads(reader: Client) -> None:
    answer = reader.get(EXPORT, {"format": "csv"})
    assert answer.headers["Content-Type"].startswith("text/html")


def test_the_list_links_to_the_export_of_what_it_shows(reader: Client) -> None:
    for _ in range(60):
        make(state="busy")
    page = reader.get(ADDRESS, {"state": "busy", "p": "2"}).content.decode()
    assert f'href="{EXPORT}?state=busy"' in page
    answer = reader.post(f"{EXPORT}?state=busy", {"format": "csv"})
    assert (answer.headers["X-Export-Rows"], len(rows_of(answer))) == ("60", 60)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "cba"),
        ("state=busy", "b"),
        ("channel=sms", "c"),
        ("q=0002", "b"),
        ("q=8+999+000-00-03", "c"),
        ("from=2026-03-11", "cb"),
        ("from=2026-03-10&to=2026-03-10", "a"),
        ("o=1", "cba"),
        ("all=", "cba"),
        ("state=busy&channel=sms", ""),
    ],
)
def test_what_the_list_filters_is_downloaded(reader: Client, query: str, found: str) -> None:
    make("79990000001", provider_id="a")
    make("79990000002", provider_id="b", state="busy", created_at=NOON + timedelta(days=1))
    make("79990000003", provider_id="c", channel="sms", created_at=NOON + timedelta(days=2))
    answer = reader.post(f"{EXPORT}?{query}", {"format": "csv"})
    assert "".join(row["Provider id"] for row in rows_of(answer)) == found
    assert f"{len(found)} row" in text_of(reader.get(f"{EXPORT}?{query}"))


@pytest.mark.parametrize("query", ["state=asleep", "from=10.03.2026"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_filter_that_is_not_taken_leads_back_to_the_list(
    reader: Client, method: str, query: str
) -> None:
    answer = getattr(reader, method)(f"{EXPORT}?{query}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{ADDRESS}?e=1")


def test_a_filter_that_is_none_is_400(reader: Client) -> None:
    assert (
        reader.post(f"{EXPORT}?verification__user__password=x", {"format": "csv"}).status_code
        == 400
    )


def test_the_page_tells_the_filters_in_words(reader: Client) -> None:
    query = {
        "state": "no_answer",
        "differs": "any",
        "error": "a_code",
        "q": "<b>4567",
        "from": "2026-03-10",
        "o": "1",
    }
    text = text_of(reader.get(EXPORT, query))
    for words in (
        "State: no answer",
        "Difference: any",
        "Error: a_code",
        "Search: &lt;b&gt;4567",
        "From: 2026-03-10",
    ):
        assert words in text
    assert "O: 1" not in text
    assert "No filter is chosen" not in text
    assert "No filter is chosen" in text_of(reader.get(EXPORT))


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 rows."), (1, "1 row."), (3, "3 rows."), (4, "More than 3 rows.")]
)
def test_the_page_tells_how_many_rows_without_counting_them_all(
    reader: Client, monkeypatch: pytest.MonkeyPatch, count: int, told: str
) -> None:
    monkeypatch.setattr(exporting, "COUNT_AT_MOST", 3)
    for _ in range(count):
        make()
    with CaptureQueriesContext(connection) as captured:
        assert told in text_of(reader.get(EXPORT))
    assert not [
        one["sql"] for one in captured if "COUNT(*)" in one["sql"] and "LIMIT" not in one["sql"]
    ]


def test_a_download_is_named_and_kept_by_nobody(reader: Client) -> None:
    make()
    for format, kind in export.CONTENT_TYPES.items():
        answer = reader.post(EXPORT, {"format": format})
        assert answer.headers["Content-Type"] == kind
        assert re.fullmatch(
            rf'attachment; filename="calls-\d{{4}}-\d\d-\d\d-\d{{4}}\.{format}"',
            answer.headers["Content-Disposition"],
        )
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert b"".join(answer.streaming_content)


def test_an_xlsx_is_a_file_that_is_gone_when_it_was_sent(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified(price="0.35")
    files = []

    def make_file() -> Any:
        files.append(opened())
        return files[-1]

    opened = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", make_file)
    answer = reader.post(EXPORT, {"format": "xlsx"})
    data = b"".join(answer.streaming_content)
    assert int(answer.headers["Content-Length"]) == len(data)
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert (sheet.max_row, sheet.cell(2, 2).value) == (2, "+7 *** ***-**-67")
    (file,) = files
    # A number for a name: it has none that anybody could open.
    assert isinstance(file.name, int)
    answer.close()
    assert file.closed


def test_a_fault_of_an_xlsx_leaves_no_open_file(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("a fault")

    make()
    reader.raise_request_exception = False
    monkeypatch.setattr(cells, "escape_formula", broken)
    assert reader.post(EXPORT, {"format": "xlsx"}).status_code == 500


def test_too_many_rows_for_excel_are_told_and_csv_is_offered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "django_voicepassword.audit")
    reader = client("view_callrequest", "view_full_phone")
    monkeypatch.setattr(export, "MOST_XLSX_ROWS", 2)
    for _ in range(3):
        make()
    answer = reader.post(EXPORT, {"format": "xlsx", "whole_phones": "on"})
    assert (answer.status_code, "saw" in caplog.text) == (400, False)
    assert "holds 2 rows, and these are more: choose CSV" in text_of(answer)
    assert len(rows_of(reader.post(EXPORT, {"format": "csv"}))) == 3


def test_without_its_library_xlsx_is_not_offered(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'value="xlsx"' in reader.get(EXPORT).content.decode()
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    page = reader.get(EXPORT).content.decode()
    assert 'value="csv"' in page
    assert "xlsx" not in page.lower()
    assert reader.post(EXPORT, {"format": "xlsx"}).status_code == 400


@pytest.mark.parametrize("form", [{}, {"format": "pdf"}, {"format": ""}])
def test_a_format_must_be_chosen(reader: Client, form: dict[str, str]) -> None:
    answer = reader.post(EXPORT, form)
    assert (answer.status_code, "errorlist" in answer.content.decode()) == (400, True)


def test_whole_numbers_are_for_who_may_see_them_and_that_is_noted(
    reader: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "django_voicepassword.audit")
    verified(username=PHONE)
    asked = {"format": "csv", "whole_phones": "on"}
    assert "whole_phones" not in reader.get(EXPORT).content.decode()
    assert PHONE not in str(rows_of(reader.post(EXPORT, asked)))
    trusted = client("view_callrequest", "view_full_phone")
    assert "whole_phones" in trusted.get(EXPORT).content.decode()
    assert PHONE not in str(rows_of(trusted.post(EXPORT, {"format": "csv"})))
    assert caplog.messages == []
    (row,) = rows_of(trusted.post(EXPORT, asked))
    assert (row["Phone"], row["User"]) == (f"'+{PHONE}", PHONE)
    assert len(caplog.messages) == 1
    assert re.fullmatch(r"user \d+ saw 1 whole numbers: export as csv", caplog.messages[0])


def test_a_page_and_a_file_speak_the_language_of_their_reader(reader: Client) -> None:
    make(price="0.35")
    headers = {"accept-language": "ru"}
    assert '<html lang="ru"' in reader.get(EXPORT, headers=headers).content.decode()
    answer = reader.post(EXPORT, {"format": "csv"}, headers=headers)
    assert b";0,35;" in b"".join(answer.streaming_content)


def test_nothing_is_read_before_it_is_sent(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory of a download is that of a chunk, and the first bytes come at once."""
    monkeypatch.setattr(export, "CHUNK", 2)
    for _ in range(6):
        make()
    answer = reader.post(EXPORT, {"format": "csv"})
    with CaptureQueriesContext(connection) as captured:
        next(answer.streaming_content)
    assert len(captured) == 1


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_a_server_with_asgi_reads_chunk_by_chunk_too(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django would read a stream of bytes whole, with a warning, which is an error here."""
    monkeypatch.setattr(export, "CHUNK", 2)
    for _ in range(5):
        make()
    user = person("view_callrequest")

    async def download() -> bytes:
        browser = AsyncClient()
        await browser.aforce_login(user)
        answer: Any = await browser.post(EXPORT, {"format": format})
        assert (answer.status_code, answer.is_async) == (200, True)
        return b"".join([chunk async for chunk in answer])

    data = async_to_sync(download)()
    if format == "csv":
        assert data.count(b"\r\n") == 6
    else:
        assert openpyxl.load_workbook(io.BytesIO(data)).active.max_row == 6
