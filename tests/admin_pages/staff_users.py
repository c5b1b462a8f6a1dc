"""Staff users with chosen permissions."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from django.test import Client

#: The permissions to read the history.
VIEW_PERMISSIONS = (
    "view_callrequest",
    "view_callstatus",
    "view_verification",
    "view_verifiedphone",
    "view_refusedattempt",
)


def create_staff_user(*permissions: str, name: str = "support") -> User:
    """Create a staff user who may read the history and has these permissions too."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=[*VIEW_PERMISSIONS, *permissions])
    )
    return user


def logged_in(*permissions: str) -> Client:
    """Return a test client logged in as such a user."""
    client = Client()
    client.force_login(create_staff_user(*permissions))
    return client
