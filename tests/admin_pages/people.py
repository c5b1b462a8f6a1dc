"""Members of the staff, by what they may do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

#: What lets somebody read the history.
VIEW = ("view_callrequest", "view_callstatus", "view_verification", "view_verifiedphone")


def staff(*permissions: str, name: str = "support") -> Any:
    """A user of the staff who may read the history and do what is named."""
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[*VIEW, *permissions]))
    return user


def logged_in(*permissions: str) -> Client:
    """A browser of such a user."""
    client = Client()
    client.force_login(staff(*permissions))
    return client
