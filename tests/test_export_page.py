"""The export page downloads the calls of the filtered list for users with permission."""

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


def rows_of(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", response.content.decode()))


@pytest.mark.parametrize("permissions", [(), ("view_verification", "view_full_phone")])
@pytest.mark.parametrize("method", ["get", "post"])
def test_only_staff_with_permission_to_view_calls_may_export_them(
    permissions: tuple[str, ...], method: str
) -> None:
    assert getattr(client(*permissions), method)(EXPORT, {"format": "csv"}).status_code == 403
    for stranger in (Client(), client("view_callrequest", is_staff=False)):
        response = getattr(stranger, method)(EXPORT, {"format": "csv"})
        assert (response.status_code, "login" in response.headers["Location"]) == (302, True)


def test_a_download_needs_the_csrf_token_of_the_page() -> None:
    browser = client("view_callrequest", enforce_csrf_checks=True)
    assert browser.post(EXPORT, {"format": "csv"}).status_code == 403
    page = browser.get(EXPORT).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    response = browser.post(EXPORT, {"format": "csv", "csrfmiddlewaretoken": token[1]})
    assert (response.status_code, rows_of(response)) == (200, [])


def test_a_get_request_never_downloads(reader: Client) -> None:
    response = reader.get(EXPORT, {"format": "csv"})
    assert response.headers["Content-Type"].startswith("text/html")


def test_the_list_links_to_the_export_of_its_filtered_calls(reader: Client) -> None:
    for _ in range(60):
        make(state="busy")
    page = reader.get(ADDRESS, {"state": "busy", "p": "2"}).content.decode()
    assert f'href="{EXPORT}?state=busy"' in page
    response = reader.post(f"{EXPORT}?state=busy", {"format": "csv"})
    assert (response.headers["X-Export-Rows"], len(rows_of(response))) == ("60", 60)


@pytest.mark.parametrize(
    ("query", "expected"),
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
def test_the_calls_of_the_filtered_list_are_downloaded(
    reader: Client, query: str, expected: str
) -> None:
    make("79990000001", provider_id="a")
    make("79990000002", provider_id="b", state="busy", created_at=NOON + timedelta(days=1))
    make("79990000003", provider_id="c", channel="sms", created_at=NOON + timedelta(days=2))
    response = reader.post(f"{EXPORT}?{query}", {"format": "csv"})
    assert "".join(row["Provider id"] for row in rows_of(response)) == expected
    assert f"{len(expected)} row" in text_of(reader.get(f"{EXPORT}?{query}"))


@pytest.mark.parametrize("query", ["state=asleep", "from=10.03.2026"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_invalid_filter_value_redirects_to_the_list(
    reader: Client, method: str, query: str
) -> None:
    response = getattr(reader, method)(f"{EXPORT}?{query}")
    assert (response.status_code, response.headers["Location"]) == (302, f"{ADDRESS}?e=1")


def test_an_unknown_filter_is_400(reader: Client) -> None:
    assert (
        reader.post(f"{EXPORT}?verification__user__password=x", {"format": "csv"}).status_code
        == 400
    )


def test_the_page_names_its_filters_in_words(reader: Client) -> None:
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
    ("count", "message"), [(0, "0 rows."), (1, "1 row."), (3, "3 rows."), (4, "More than 3 rows.")]
)
def test_the_page_shows_the_number_of_rows_without_counting_all(
    reader: Client, monkeypatch: pytest.MonkeyPatch, count: int, message: str
) -> None:
    monkeypatch.setattr(exporting, "COUNT_AT_MOST", 3)
    for _ in range(count):
        make()
    with CaptureQueriesContext(connection) as captured:
        assert message in text_of(reader.get(EXPORT))
    assert not [
        statement["sql"]
        for statement in captured
        if "COUNT(*)" in statement["sql"] and "LIMIT" not in statement["sql"]
    ]


def test_a_download_has_a_file_name_and_is_not_cached(reader: Client) -> None:
    make()
    for format, kind in export.CONTENT_TYPES.items():
        response: Any = reader.post(EXPORT, {"format": format})
        assert response.headers["Content-Type"] == kind
        assert re.fullmatch(
            rf'attachment; filename="calls-\d{{4}}-\d\d-\d\d-\d{{4}}\.{format}"',
            response.headers["Content-Disposition"],
        )
        assert "no-store" in response.headers["Cache-Control"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Accel-Buffering"] == "no"
        assert b"".join(response.streaming_content)


def test_an_xlsx_is_sent_from_a_nameless_file_that_is_closed_afterwards(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified(price="0.35")
    files = []

    open_temporary_file = tempfile.TemporaryFile

    def record_file() -> Any:
        files.append(open_temporary_file())
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", record_file)
    response: Any = reader.post(EXPORT, {"format": "xlsx"})
    data = b"".join(response.streaming_content)
    assert int(response.headers["Content-Length"]) == len(data)
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert (sheet.max_row, sheet.cell(2, 2).value) == (2, "+7 *** ***-**-67")
    (file,) = files
    # Its name is a file descriptor: there is no path that another process could open.
    assert isinstance(file.name, int)
    response.close()
    assert file.closed


def test_an_error_while_writing_an_xlsx_leaves_no_open_file(
    reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("a bug")

    make()
    reader.raise_request_exception = False
    monkeypatch.setattr(cells, "escape_formula", broken)
    assert reader.post(EXPORT, {"format": "xlsx"}).status_code == 500


def test_too_many_rows_for_excel_are_refused_and_csv_is_suggested(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "django_voicepassword.audit")
    reader = client("view_callrequest", "view_full_phone")
    monkeypatch.setattr(export, "MOST_XLSX_ROWS", 2)
    for _ in range(3):
        make()
    response = reader.post(EXPORT, {"format": "xlsx", "whole_phones": "on"})
    assert (response.status_code, "saw" in caplog.text) == (400, False)
    assert "holds 2 rows, and these are more: choose CSV" in text_of(response)
    assert len(rows_of(reader.post(EXPORT, {"format": "csv"}))) == 3


def test_xlsx_is_not_offered_without_its_library(
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
    response = reader.post(EXPORT, form)
    assert (response.status_code, "errorlist" in response.content.decode()) == (400, True)


def test_whole_numbers_need_a_permission_and_are_logged_in_the_audit_log(
    reader: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "django_voicepassword.audit")
    verified(username=PHONE)
    form = {"format": "csv", "whole_phones": "on"}
    assert "whole_phones" not in reader.get(EXPORT).content.decode()
    assert PHONE not in str(rows_of(reader.post(EXPORT, form)))
    trusted = client("view_callrequest", "view_full_phone")
    assert "whole_phones" in trusted.get(EXPORT).content.decode()
    assert PHONE not in str(rows_of(trusted.post(EXPORT, {"format": "csv"})))
    assert caplog.messages == []
    (row,) = rows_of(trusted.post(EXPORT, form))
    assert (row["Phone"], row["User"]) == (f"'+{PHONE}", PHONE)
    assert len(caplog.messages) == 1
    assert re.fullmatch(r"user \d+ saw 1 whole numbers: export as csv", caplog.messages[0])


def test_the_page_and_the_file_are_in_the_language_of_the_request(reader: Client) -> None:
    make(price="0.35")
    headers = {"accept-language": "ru"}
    assert '<html lang="ru"' in reader.get(EXPORT, headers=headers).content.decode()
    response: Any = reader.post(EXPORT, {"format": "csv"}, headers=headers)
    assert b";0,35;" in b"".join(response.streaming_content)


def test_a_download_is_read_chunk_by_chunk(reader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download needs the memory of one chunk, and its first bytes are sent at once."""
    monkeypatch.setattr(export, "CHUNK", 2)
    for _ in range(6):
        make()
    response: Any = reader.post(EXPORT, {"format": "csv"})
    with CaptureQueriesContext(connection) as captured:
        next(response.streaming_content)
    assert len(captured) == 1


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_a_download_is_read_chunk_by_chunk_under_asgi_too(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django would read a synchronous stream whole and warn; warnings are errors in the tests."""
    monkeypatch.setattr(export, "CHUNK", 2)
    for _ in range(5):
        make()
    user = person("view_callrequest")

    async def download() -> bytes:
        browser = AsyncClient()
        await browser.aforce_login(user)
        response: Any = await browser.post(EXPORT, {"format": format})
        assert (response.status_code, response.is_async) == (200, True)
        return b"".join([chunk async for chunk in response])

    data = async_to_sync(download)()
    if format == "csv":
        assert data.count(b"\r\n") == 6
    else:
        assert openpyxl.load_workbook(io.BytesIO(data)).active.max_row == 6
