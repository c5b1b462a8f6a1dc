"""No page of the call history reads the whole history on PostgreSQL: EXPLAIN every query."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_voicepassword.models import CallRequest, RefusedAttempt, Verification, VerifiedPhone

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.service("postgresql"),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="DATABASE_URL names another database"
    ),
]
LIST = "/admin/django_voicepassword/callrequest/"
CALLS = 30_000


@pytest.fixture
def history(admin_client: Client) -> Client:
    """Create so many calls that PostgreSQL prefers an index to a sequential scan."""
    now = timezone.now()
    user = get_user_model().objects.create_user("anna")
    verifications = [
        Verification(
            phone=f"7999{number:07}",
            user=user if number % 500 == 0 else None,
            created_at=now - timedelta(minutes=number),
            expires_at=now + timedelta(minutes=5),
        )
        for number in range(CALLS)
    ]
    Verification.objects.bulk_create(verifications, batch_size=5000)
    rare: dict[int, dict[str, Any]] = {
        0: {"origin": "imported"},
        1: {"difference": 1},
        2: {"error_code": "no_reply", "state": "unknown"},
    }
    CallRequest.objects.bulk_create(
        [
            CallRequest(
                verification=verification,
                phone=verification.phone,
                created_at=verification.created_at,
                claimed_at=verification.created_at,
                provider_id=str(number),
                channel="voice" if number % 3 == 0 else "flashcall",
                **{"state": "no_answer", **rare.get(number % 997, {})},
            )
            for number, verification in enumerate(verifications)
        ],
        batch_size=5000,
    )
    VerifiedPhone.objects.bulk_create(
        [
            VerifiedPhone(user=user, phone=one.phone, verified_at=one.created_at)
            for one in verifications
        ],
        batch_size=5000,
    )
    RefusedAttempt.objects.bulk_create(
        [
            RefusedAttempt(
                phone=one.phone,
                address=f"10.0.{number // 200}.{number % 200}",
                reason="ip",
                last_at=one.created_at,
            )
            for number, one in enumerate(verifications)
        ],
        batch_size=5000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return admin_client


CUSTOMERS = "/admin/django_voicepassword/person/"
#: Queries of the lists; "call", "customer" and "user" stand for the pages of the newest call, of
#: whoever has its number, and of a user with sixty more attempts.
PAGES = [
    LIST,
    f"{LIST}?p=20",
    f"{LIST}?state=unknown",
    f"{LIST}?channel=voice",
    f"{LIST}?origin=imported",
    f"{LIST}?differs=any",
    f"{LIST}?error=any",
    f"{LIST}?error=no_reply",
    f"{LIST}?q=67",
    f"{LIST}?q=4567",
    f"{LIST}?q=04567",
    f"{LIST}?q=79990004567",
    f"{LIST}?q=anna",
    f"{LIST}?q=10.0.3.4",
    f"{LIST}?from=2026-01-01&to=2026-01-31",
    f"{LIST}?o=1",
    "/admin/django_voicepassword/verification/",
    "/admin/django_voicepassword/verification/?status__exact=canceled",
    "/admin/django_voicepassword/verification/?q=4567",
    "/admin/django_voicepassword/verification/?p=20",
    "/admin/django_voicepassword/verification/?o=4",
    "/admin/django_voicepassword/verification/?from=2026-01-01&to=2026-01-31",
    "/admin/django_voicepassword/verifiedphone/",
    "/admin/django_voicepassword/verifiedphone/?q=4567",
    "/admin/django_voicepassword/verifiedphone/?q=67",
    "/admin/django_voicepassword/verifiedphone/?from=2026-01-01&to=2026-01-31",
    "/admin/django_voicepassword/refusedattempt/",
    "/admin/django_voicepassword/refusedattempt/?reason=ip",
    "/admin/django_voicepassword/refusedattempt/?q=67",
    "/admin/django_voicepassword/refusedattempt/?q=4567",
    "/admin/django_voicepassword/refusedattempt/?q=79990004567",
    "/admin/django_voicepassword/refusedattempt/?q=10.0.3.4",
    "/admin/django_voicepassword/refusedattempt/?from=2026-01-01&to=2026-01-31",
    "/admin/django_voicepassword/protection/",
    f"{CUSTOMERS}?q=67",
    f"{CUSTOMERS}?q=4567",
    f"{CUSTOMERS}?q=04567",
    f"{CUSTOMERS}?q=799900045",
    f"{CUSTOMERS}?q=anna",
    f"{CUSTOMERS}?q=anna@example.org",
    "call",
    "customer",
    "user",
]


def test_no_page_reads_the_whole_history(history: Client) -> None:
    newest = CallRequest.objects.order_by("-created_at").values_list("pk", flat=True)[0]
    user = get_user_model().objects.get(username="anna")
    addresses = {
        "call": f"{LIST}{newest}/change/",
        "customer": f"{CUSTOMERS}?call={newest}",
        "user": f"{CUSTOMERS}?user={user.pk}",
    }
    for page in PAGES:
        address = addresses.get(page, page)
        with CaptureQueriesContext(connection) as queries:
            assert history.get(address, follow=True).status_code == 200
        plans = [
            (query["sql"], _plan(query["sql"]))
            for query in queries.captured_queries
            if query["sql"].startswith("SELECT")
        ]
        assert len(plans) >= 3
        for sql, plan in plans:
            for table in ("callrequest", "verification", "verifiedphone", "refusedattempt"):
                assert f"Seq Scan on django_voicepassword_{table}" not in plan, (page, sql, plan)


def _plan(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(line for (line,) in cursor.fetchall())
