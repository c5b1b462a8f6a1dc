"""The way from a user's page in the admin to the page of that customer.

The page belongs to the project, which may have its own user model, ModelAdmin and theme. A message
on it needs none of them to cooperate.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _

from django_voicepassword.admin.addresses import customer_address
from django_voicepassword.models import Person

#: Set on a request that has its message.
_LED = "_voicepassword_led"


def lead(request: HttpRequest, site: AdminSite) -> None:
    """Add a link to the customer, once, where this is the page of a user."""
    match = request.resolver_match
    options = get_user_model()._meta
    is_page = match is not None and match.url_name == (
        f"{options.app_label}_{options.model_name}_change"
    )
    if match is None or not is_page or request.method != "GET" or hasattr(request, _LED):
        return
    setattr(request, _LED, True)
    if not site.is_registered(Person):
        return
    if site.get_model_admin(Person).has_view_permission(request):
        address = customer_address(site, ("user", unquote(match.kwargs["object_id"])))
        text = format_html(
            '<a href="{}">{}</a>', address, _("Calls, codes and logins of this person")
        )
        messages.info(request, text, fail_silently=True)
