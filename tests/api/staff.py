"""Staff users, their API client, and calls for them to read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.test import Client

from django_voicepassword.models import CallRequest, Verification

NOON = datetime(2026, 3, 10, 12, tzinfo=ZoneInfo("Europe/Moscow"))
PHONE = "79991234567"
#: Path -> the permission that it needs.
PATHS = {
    "calls/": "view_callrequest",
    "calls/1/": "view_callrequest",
    "statistics/": "view_dailystatistics",
    "balance/": "view_balancereading",
}


def person(*permissions: str, is_staff: bool = True) -> User:
    """Create a user with these permissions of the app."""
    user = get_user_model().objects.create_user(
        f"user{get_user_model().objects.count()}", is_staff=is_staff
    )
    chosen = Permission.objects.filter(
        content_type__app_label="django_voicepassword", codename__in=permissions
    )
    assert len(chosen) == len(permissions)
    user.user_permissions.set(chosen)
    return user


class StaffApi:
    """An API client with the session of a new staff user."""

    def __init__(self, *permissions: str, is_staff: bool = True) -> None:
        self.client = Client()
        self.user = person(*permissions, is_staff=is_staff)
        self.client.force_login(self.user)

    def get(self, path: str, **query: Any) -> Any:
        address = path if path.startswith("http") else f"/api/{path}"
        answer: Any = self.client.get(address, query or None)
        answer.body = answer.json()
        return answer


def make(phone: str = PHONE, **values: Any) -> CallRequest:
    """Create a call."""
    fields = {
        "channel": "flashcall",
        "state": "no_answer",
        "claimed_at": NOON,
        "created_at": NOON,
        **values,
    }
    return CallRequest.objects.create(phone=phone, **fields)


def verified(username: str = "anna", phone: str = PHONE, **values: Any) -> CallRequest:
    """Create a call of an approved verification."""
    user, _ = get_user_model().objects.get_or_create(username=username)
    verification = Verification.objects.create(
        phone=phone,
        user=user,
        status="approved",
        attempts=2,
        sends=1,
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=5),
        approved_at=NOON + timedelta(seconds=9),
    )
    return make(phone, verification=verification, **values)
