"""The call history: readable, masked, and not to be changed by hand."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from django_voicepassword import verifications
from django_voicepassword.testing import Sent


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["callrequest", "verification", "verifiedphone"])
def test_a_list_and_a_page_show_no_whole_number_and_no_code(admin_client: Client, outbox: list[Sent], model: str) -> None:
    verification = verifications.start("79990000001")
    verifications.check(verification.id, outbox[0].code)
    key = {"callrequest": verification.calls.get().pk, "verification": verification.pk}.get(model)
    addresses = [reverse(f"admin:django_voicepassword_{model}_changelist")]
    if key is not None:
        addresses.append(reverse(f"admin:django_voicepassword_{model}_change", args=[key]))
    for address in addresses:
        answer = admin_client.get(address)
        assert answer.status_code == 200
        text = answer.content.decode()
        assert "79990000001" not in text
        assert f">{outbox[0].code}<" not in text
        assert model == "verifiedphone" or "+7 *** ***-**-01" in text


@pytest.mark.django_db
def test_history_cannot_be_deleted(admin_client: Client, outbox: list[Sent]) -> None:
    call = verifications.start("79990000001").calls.get()
    address = reverse("admin:django_voicepassword_callrequest_delete", args=[call.pk])
    assert admin_client.post(address, {"post": "yes"}).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["callrequest", "verification"])
def test_a_list_asks_the_database_no_more_for_more_rows(
    admin_client: Client, outbox: list[Sent], settings, django_assert_num_queries, model: str
) -> None:
    settings.VOICEPASSWORD = {**settings.VOICEPASSWORD, "LIMITS": {"phone": [], "prefix": [], "ip": []}}
    address = reverse(f"admin:django_voicepassword_{model}_changelist")
    for _ in range(5):
        for number in range(5):
            verifications.start(f"7999000000{number}")
        # Session, user, the paginator's count, the rows.
        with django_assert_num_queries(4):
            admin_client.get(address)


@pytest.mark.django_db
def test_a_call_shows_its_verification_and_every_report(admin_client: Client, outbox: list[Sent]) -> None:
    verification = verifications.start("79990000001")
    call = verification.calls.get()
    page = admin_client.get(reverse("admin:django_voicepassword_callrequest_change", args=[call.pk])).content.decode()
    assert reverse("admin:django_voicepassword_verification_change", args=[verification.pk]) in page
    assert '<span class="vp-badge vp-badge-wait">placed</span>' in page
    assert "reply to sending" in page
