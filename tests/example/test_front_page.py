"""The front page of the demo: its buttons call the magic numbers, in both languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from demo_site import people
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from django_voicepassword.models import CallRequest
from django_voicepassword.sandbox.magic_numbers import OUTCOMES
from django_voicepassword.testing import outbox

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _demo(settings: Any, tmp_path: Path) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "demo_site"]
    settings.ROOT_URLCONF = "tests.example.urls"
    settings.LOGIN_REDIRECT_URL = "welcome"
    settings.VAR = tmp_path
    settings.DEBUG = True


def _numbers(page: str) -> list[str]:
    return re.findall(r'name="phone" value="\+(\d+)"', page)


def test_every_magic_number_has_a_button_that_calls_it(client: Client) -> None:
    page = client.get("/").content.decode()
    assert set(OUTCOMES) < set(_numbers(page))
    response = client.post("/call/", {"phone": "+79990000103"}, follow=True)
    assert response.redirect_chain == [("/auth/login/", 307), ("/auth/login/code/", 302)]
    assert [sent.number for sent in outbox] == ["79990000103"]


def test_a_button_logs_out_first(client: Client) -> None:
    user = User.objects.create(username="anna")
    client.force_login(user)
    assert "anna" in client.get("/").content.decode()
    client.post("/call/", {"phone": "+79990000101"}, follow=True)
    assert CallRequest.objects.get().phone == "79990000101"
    assert "anna" not in client.get("/").content.decode()


def test_whoever_may_log_in_is_shown_with_debug_alone(
    client: Client, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "<code>owner</code>" not in client.get("/").content.decode()
    passwords = people.make()
    # In a test run there is no sandbox to ask.
    call_command("demo_start")
    assert json.loads(capsys.readouterr().out) == passwords
    assert client.login(username="clerk", password=passwords["clerk"])
    client.logout()
    page = client.get("/").content.decode()
    assert all(password in page for password in passwords.values())
    settings.DEBUG = False
    page = client.get("/").content.decode()
    assert not any(password in page for password in passwords.values())


def test_the_owner_sees_whole_numbers_and_the_clerk_masked_ones() -> None:
    people.make()
    owner, clerk = (User.objects.get(username=name) for name in ("owner", "clerk"))
    assert owner.has_perm("django_voicepassword.view_full_phone")
    assert not clerk.has_perm("django_voicepassword.view_full_phone")
    assert clerk.has_perm("django_voicepassword.view_callrequest")


def test_no_english_is_left_on_the_russian_page(client: Client) -> None:
    page = client.get("/", headers={"accept-language": "ru"}).content.decode()
    text = re.sub(r"<(code|button)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    known = r"SMS|HTTP|HTML|JSON|ID|django-voicepassword|\w+_\w+"
    assert re.findall(r"[A-Za-z]{2,}", re.sub(rf"\b({known})\b", "", text)) == []
