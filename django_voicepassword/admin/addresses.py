"""Addresses of admin pages, and who may open them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from django_voicepassword.models import Person
from django_voicepassword.security import masking


def page_address(site: AdminSite, name: str, *arguments: object) -> str:
    """Return the address of a page of this admin site: a project may have several.

    ``name`` is that of its route, for example ``django_voicepassword_callrequest_changelist``.
    """
    return reverse(f"admin:{name}", args=arguments, current_app=site.name)


def customer_address(site: AdminSite, key: tuple[str, Any] | None = None) -> str:
    """Return the address of the page of a customer; "" where this admin site has none.

    ``key`` leads to the customer: see ``accounts.people.Key``. None is the page with the box alone.
    """
    if not site.is_registered(Person):
        return ""
    address = page_address(site, "django_voicepassword_person")
    return f"{address}?{urlencode([key])}" if key else address


def user_address(
    site: AdminSite, user: AbstractBaseUser | None, request: HttpRequest, is_whole: bool
) -> str:
    """Return the address of a user's page in this admin; "" where the reader may not open it.

    Without ``is_whole``, there is none where the address would have a phone number in it.
    """
    model = get_user_model()
    if user is None or not may_see(site, model, request):
        return ""
    if not is_whole and masking.has_number(str(user.pk)):
        return ""
    name = f"{user._meta.app_label}_{user._meta.model_name}_change"
    return page_address(site, name, user.pk)


def may_see(site: AdminSite, model: type[Model], request: HttpRequest) -> bool:
    """Whether this admin site has pages of ``model`` that the reader may open."""
    return site.is_registered(model) and site.get_model_admin(model).has_view_permission(request)
