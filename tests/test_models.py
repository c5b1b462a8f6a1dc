"""The database refuses invalid rows, and every list and lookup has an index."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from freezegun import freeze_time

from django_voicepassword.models import CallRequest, CallStatus, Verification, VerifiedPhone
from django_voicepassword.models.moments import seconds_until

pytestmark = pytest.mark.django_db


def verification(**values: Any) -> Verification:
    now = timezone.now()
    defaults = {
        "phone": "79990000001",
        "purpose": "login",
        "created_at": now,
        "expires_at": now + timedelta(minutes=5),
    }
    return Verification.objects.create(**{**defaults, **values})


def call(**values: Any) -> CallRequest:
    return CallRequest.objects.create(**{"phone": "79990000001", "channel": "flashcall", **values})


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (verification, {"status": "proved"}),
        (verification, {"status": "approved", "approved_at": None}),
        (verification, {"expires_at": timezone.now() - timedelta(days=1)}),
        (call, {"channel": "pigeon"}),
        (call, {"state": "lost"}),
        (call, {"origin": "other"}),
        (call, {"price": Decimal("-0.01")}),
        # A call that no worker claimed cannot be with the provider.
        (call, {"state": "placing"}),
        (call, {"state": "placed"}),
        (call, {"state": "unknown"}),
    ],
)
def test_the_database_refuses_an_invalid_row(make: Any, values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make(**values)


@pytest.mark.parametrize(
    ("ahead", "least", "seconds"),
    [(60, 0, 60), (59.000001, 0, 60), (0.5, 0, 1), (0, 0, 0), (-5, 0, 0), (0, 1, 1), (-5, 1, 1)],
)
def test_a_part_of_a_second_is_waited_for_as_a_whole_one(
    ahead: float, least: int, seconds: int
) -> None:
    now = timezone.now()
    assert seconds_until(now + timedelta(seconds=ahead), now, least) == seconds
    naive = timezone.make_naive(now)
    assert seconds_until(naive + timedelta(seconds=ahead), naive, least) == seconds
    assert seconds_until(naive + timedelta(seconds=ahead), now, least) == seconds


def test_the_seconds_are_those_from_now_on() -> None:
    with freeze_time("2026-05-01 12:00:00"):
        assert seconds_until(timezone.now() + timedelta(seconds=9.1)) == 10


def test_a_number_has_one_user() -> None:
    users = [get_user_model().objects.create(username=name) for name in ("one", "two")]
    VerifiedPhone.objects.create(user=users[0], phone="79990000001")
    with pytest.raises(IntegrityError), transaction.atomic():
        VerifiedPhone.objects.create(user=users[1], phone="79990000001")
    with pytest.raises(IntegrityError), transaction.atomic():
        VerifiedPhone.objects.create(user=users[1], phone="")


def test_a_number_that_no_login_would_find_is_not_stored() -> None:
    user = get_user_model().objects.create(username="one")
    with pytest.raises(IntegrityError), transaction.atomic():
        VerifiedPhone.objects.create(user=user, phone="+79990000001")


def test_a_status_must_have_a_known_source() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CallStatus.objects.create(call=call(), state="busy", source="rumour")


@pytest.mark.parametrize(
    "query",
    [
        lambda: CallRequest.objects.order_by("-created_at", "-id")[:50],
        lambda: CallRequest.objects.filter(provider_id="1234").order_by(),
        lambda: CallRequest.objects.filter(phone="79990000001").order_by("-created_at"),
        lambda: CallRequest.objects.filter(next_poll_at__lte=timezone.now()).order_by(
            "next_poll_at"
        )[:200],
        lambda: CallRequest.objects.filter(state="placing", claimed_at__lt=timezone.now()),
        lambda: CallRequest.objects.filter(verification_id=uuid.uuid4()).order_by(),
        lambda: CallStatus.objects.filter(call_id=1),
        lambda: Verification.objects.filter(phone="79990000001").order_by("-created_at"),
        lambda: Verification.objects.filter(status="pending", expires_at__lte=timezone.now()),
        lambda: VerifiedPhone.objects.filter(phone="79990000001"),
    ],
)
def test_every_list_and_lookup_has_an_index(query: Any) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only the plans of SQLite are independent of statistics")
    plan = query().explain()
    assert "USING" in plan
    assert "INDEX" in plan
    assert "SCAN django_voicepassword_callrequest\n" not in f"{plan}\n"
    assert "TEMP B-TREE" not in plan


def test_repr_and_str_show_no_number_code_or_id() -> None:
    row = verification()
    rows = [row, call(verification=row, code_digest="z" * 64), VerifiedPhone(phone=row.phone)]
    for model in rows:
        for text in (repr(model), str(model)):
            assert "9990000001" not in text
            assert str(row.id) not in text
            # No letter of an id, whose beginning is shown.
            assert "zzzz" not in text


def test_no_migration_is_missing() -> None:
    out = StringIO()
    call_command("makemigrations", "django_voicepassword", check=True, dry_run=True, stdout=out)
    assert "No changes" in out.getvalue()
