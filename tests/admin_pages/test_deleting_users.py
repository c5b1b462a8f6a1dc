"""Whoever may delete users deletes the numbers with them; the history itself is never deleted."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from django_voicepassword import verifications
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from django_voicepassword.testing import Sent
from tests.admin_pages.staff_users import create_staff_user

pytestmark = pytest.mark.django_db
User = get_user_model()
USERS = "/admin/auth/user/"
OURS = "/admin/django_voicepassword/"


def browser(*, is_superuser: bool) -> Client:
    """Log in a superuser, or one of the staff who may delete users and see none of our pages."""
    client = Client()
    if is_superuser:
        client.force_login(User.objects.create_superuser("chief"))
        return client
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "delete_user"]))
    client.force_login(clerk)
    return client


@pytest.fixture
def anna(outbox: list[Sent]) -> Any:
    """A user with a verified number and the verification that proved it."""
    user = User.objects.create_user("anna")
    verification = verifications.start("79991234567", user=user)
    Verification.objects.filter(pk=verification.pk).update(user=user)
    VerifiedPhone.objects.create(user=user, phone="79991234567")
    return user


@pytest.mark.parametrize("is_superuser", [True, False])
def test_a_user_with_a_verified_number_can_be_deleted(anna: Any, is_superuser: bool) -> None:
    client = browser(is_superuser=is_superuser)
    question = client.get(f"{USERS}{anna.pk}/delete/").content.decode()
    assert "Are you sure" in question
    assert "1234567" not in question
    client.post(f"{USERS}{anna.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=anna.pk).exists()
    assert not VerifiedPhone.objects.exists()
    # The verification and its call are history, and stay.
    assert Verification.objects.get().user is None


@pytest.mark.parametrize("is_superuser", [True, False])
def test_the_list_of_users_deletes_them_too(anna: Any, is_superuser: bool) -> None:
    client = browser(is_superuser=is_superuser)
    chosen = {"action": "delete_selected", "_selected_action": [str(anna.pk)]}
    assert "Are you sure" in client.post(USERS, chosen).content.decode()
    client.post(USERS, {**chosen, "post": "yes"})
    assert not User.objects.filter(pk=anna.pk).exists()
    assert not VerifiedPhone.objects.exists()


def test_our_own_pages_delete_nothing(anna: Any) -> None:
    rows = {
        "verifiedphone": VerifiedPhone.objects.get(),
        "verification": Verification.objects.get(),
        "callrequest": CallRequest.objects.get(),
    }
    clerk = Client()
    clerk.force_login(create_staff_user(*[f"delete_{name}" for name in rows]))
    for client in (clerk, browser(is_superuser=True)):
        for name, row in rows.items():
            page = f"{OURS}{name}/{row.pk}"
            assert client.post(f"{page}/delete/", {"post": "yes"}).status_code == 403
            assert f"{page}/delete/" not in client.get(f"{page}/change/").content.decode()
            chosen = {"action": "delete_selected", "_selected_action": [str(row.pk)]}
            client.post(f"{OURS}{name}/", {**chosen, "post": "yes"})
            row.refresh_from_db()
