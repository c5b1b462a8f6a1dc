"""With USE_THOUSAND_SEPARATOR, numbers have separators in the text of a page and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from django_voicepassword import verifications
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.testing import Sent

pytestmark = pytest.mark.django_db
#: Between the thousands of a Russian number.
SEPARATOR = "\u00a0"
#: Attributes that people read or hear.
TEXTS = {"title", "aria-label", "placeholder", "alt", "data-text"}


class Attributes(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(name, value or "") for name, value in attrs]


@pytest.fixture(autouse=True)
def _separators(settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    settings.LANGUAGE_CODE = "ru"


def attributes_of(client: Client, address: str) -> list[tuple[str, str]]:
    response = client.get(address, headers={"accept-language": "ru"})
    assert response.status_code == 200, address
    found = Attributes(response.content.decode()).found
    assert [item for item in found if SEPARATOR in item[1] and item[0] not in TEXTS] == []
    return found


def test_the_code_page_says_when_to_ask_again(
    client: Client, configure: Callable[..., None], outbox: list[Sent]
) -> None:
    configure(RESEND_AFTER=3600, CODE_TTL=7200)
    client.post(reverse("voicepassword:login"), {"phone": "79990000001"})
    found = dict(attributes_of(client, reverse("voicepassword:code")))
    assert 3590 <= int(found["data-seconds"]) <= 3600


def test_the_addresses_and_values_of_the_admin(admin_client: Client, outbox: list[Sent]) -> None:
    verification = verifications.start("79990000001")
    first = verification.calls.get()
    call = CallRequest.objects.create(
        pk=1_234_567, verification=verification, phone=first.phone, channel="voice"
    )
    user = admin_client.get("/admin/").context["user"]
    Verification.objects.update(user=user)
    name = "admin:django_voicepassword_callrequest"
    for address in (
        reverse(f"{name}_changelist"),
        reverse(f"{name}_change", args=[call.pk]),
        reverse(f"{name}_change", args=[first.pk]),
        reverse(f"{name}_do", args=[call.pk, "voice"]),
        reverse("admin:django_voicepassword_verification_changelist"),
        reverse("admin:django_voicepassword_dashboard_changelist"),
    ):
        attributes_of(admin_client, address)
    found = attributes_of(admin_client, reverse(f"{name}_change", args=[first.pk]))
    assert ("href", reverse(f"{name}_change", args=[call.pk])) in found
