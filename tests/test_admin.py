"""The admin of the call history: numbers are masked, and nothing can be changed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from django_voicepassword import verifications
from django_voicepassword.models import BalanceReading, CallRequest, DailyStatistics
from django_voicepassword.testing import Sent
from tests.admin_pages.staff_users import logged_in


@pytest.mark.django_db
@pytest.mark.parametrize("model", ["callrequest", "verification", "verifiedphone"])
def test_a_list_and_a_page_show_no_whole_number_and_no_code(
    outbox: list[Sent], configure: Callable[..., None], model: str
) -> None:
    # A code of four digits may equal the year of a date.
    configure(CODE_LENGTH=6)
    client = logged_in()
    verification = verifications.start("79990000001")
    verifications.check(verification.id, outbox[0].code)
    key = {"callrequest": verification.calls.get().pk, "verification": verification.pk}.get(model)
    addresses = [reverse(f"admin:django_voicepassword_{model}_changelist")]
    if key is not None:
        addresses.append(reverse(f"admin:django_voicepassword_{model}_change", args=[key]))
    for address in addresses:
        answer = client.get(address)
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
@pytest.mark.parametrize(("model", "queries"), [("callrequest", 8), ("verification", 8)])
def test_more_rows_in_a_list_cost_no_more_queries(
    admin_client: Client,
    outbox: list[Sent],
    settings: Any,
    django_assert_num_queries: Any,
    model: str,
    queries: int,
) -> None:
    settings.VOICEPASSWORD = {
        **settings.VOICEPASSWORD,
        "LIMITS": {"phone": [], "prefix": [], "ip": []},
        "FRAUD_FLOOR": 1000,
    }
    address = reverse(f"admin:django_voicepassword_{model}_changelist")
    # The figures of notices are read once a minute.
    admin_client.get(address)
    for _ in range(5):
        for number in range(5):
            verifications.start(f"7999000000{number}")
        # Session, user, three for the notices, the paginator's count, the rows, and the oldest row
        # for the years.
        with django_assert_num_queries(queries):
            admin_client.get(address)


@pytest.mark.django_db
def test_a_call_shows_its_verification_and_every_report(
    admin_client: Client, outbox: list[Sent]
) -> None:
    verification = verifications.start("79990000001")
    call = verification.calls.get()
    page = admin_client.get(
        reverse("admin:django_voicepassword_callrequest_change", args=[call.pk])
    ).content.decode()
    assert reverse("admin:django_voicepassword_verification_change", args=[verification.pk]) in page
    assert '<span class="vp-badge vp-badge-wait">placed</span>' in page
    assert "reply to sending" in page


@pytest.mark.django_db
def test_statistics_and_balance_are_read_only(admin_client: Client) -> None:
    day = DailyStatistics.objects.create(
        date="2026-03-10",
        rows=5,
        total_price="1.75",
        counts={"voice": {"busy": 2, "answered": 3}},
        mismatched=1,
    )
    reading = BalanceReading.objects.create(balance="100.5", currency="Rub")
    for row, text in (
        (day, "voice call</strong> busy: 2, answered: 3"),
        (reading, "100.50\xa0₽"),
    ):
        name = f"admin:django_voicepassword_{row._meta.model_name}"
        assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200
        assert text in admin_client.get(reverse(f"{name}_change", args=[row.pk])).content.decode()
        assert admin_client.get(reverse(f"{name}_add")).status_code == 403
        assert (
            admin_client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code
            == 403
        )


@pytest.mark.django_db
def test_a_call_shows_where_the_statistics_differ(admin_client: Client, outbox: list[Sent]) -> None:
    call = verifications.start("79990000001").calls.get()
    CallRequest.objects.update(difference=3)
    page = admin_client.get(
        reverse("admin:django_voicepassword_callrequest_change", args=[call.pk])
    ).content.decode()
    assert "state, price" in page
