"""The consent text of a project: shown beside the button, and kept word for word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from django_voicepassword.models import ConsentText, Verification
from django_voicepassword.testing import outbox
from tests.web.page_client import PageClient

pytestmark = pytest.mark.any_database

PHONE = "+79990000001"
TEXT = 'By asking for a call you agree to <a href="/terms/">the terms</a>.'
CHANGED = "The text above has changed. Read it, then ask again."


@pytest.fixture
def write(settings: Any, tmp_path: Path) -> Callable[[str], None]:
    """``write(text)`` makes the project's template."""
    (tmp_path / "voicepassword").mkdir()

    def write(text: str) -> None:
        (tmp_path / "voicepassword" / "consent.html").write_text(f"\n{text}\n")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}]

    return write


def test_nothing_is_shown_and_recorded_without_a_text(on_code_page: PageClient) -> None:
    assert Verification.objects.get().consent is None
    assert not ConsentText.objects.exists()
    page = on_code_page.open("/auth/login/")
    assert "consent" not in page.html


def test_the_text_that_was_shown_is_kept_word_for_word(
    page_client: PageClient, write: Callable[[str], None]
) -> None:
    write(TEXT)
    page = page_client.open("/auth/login/")
    assert TEXT in page.html
    before = timezone.now()
    for phone in (PHONE, "+79990000002"):
        page_client.open("/auth/login/")
        page_client.press("Call me", phone=phone)
    first, second = Verification.objects.order_by("created_at")
    assert first.consent == second.consent == ConsentText.objects.get()
    assert str(first.consent) == TEXT
    assert first.created_at >= before


def test_a_text_that_changed_is_shown_before_anybody_is_called(
    page_client: PageClient, write: Callable[[str], None]
) -> None:
    write(TEXT)
    page_client.open("/auth/login/")
    write("New terms.")
    page = page_client.press("Call me", phone=PHONE)
    assert (page_client.status, page.alerts) == (409, [CHANGED])
    assert "New terms." in page.text
    assert page.element(name="phone")["value"] == PHONE
    assert outbox == []
    page_client.press("Call me")
    assert [str(text) for text in ConsentText.objects.all()] == ["New terms."]
    assert len(outbox) == 1


def test_a_form_that_shows_no_text_records_none(
    page_client: PageClient, write: Callable[[str], None]
) -> None:
    """A page that was loaded before there was a text, or a template of the project's own."""
    page_client.open("/auth/login/")
    write(TEXT)
    page_client.press("Call me", phone=PHONE)
    assert Verification.objects.get().consent is None


def test_the_admin_shows_the_text(page_client: PageClient, write: Callable[[str], None]) -> None:
    write(TEXT)
    page_client.open("/auth/login/")
    page_client.press("Call me", phone=PHONE)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("owner"))
    key = Verification.objects.get().pk
    html = client.get(f"/admin/django_voicepassword/verification/{key}/change/").content.decode()
    assert "By asking for a call you agree to the terms." in html


def test_the_text_is_shown_where_a_number_is_added(
    page_client: PageClient, write: Callable[[str], None]
) -> None:
    user = get_user_model().objects.create_user("anna", password="secret")
    page_client.client.force_login(user)
    write(TEXT)
    assert TEXT in page_client.open("/auth/phones/add/").html
    page_client.press("Call me", phone=PHONE)
    assert str(Verification.objects.get().consent) == TEXT
