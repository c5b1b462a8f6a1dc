"""The front page: what to try, buttons that call the magic numbers, and whoever may log in."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.contrib.auth import logout
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from demo_site import numbers, people
from django_voicepassword import statistics
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import ProviderError

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
#: The same site under its other name, where the browser keeps other cookies.
OTHER_NAMES = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}


@never_cache
@require_safe
def front_page(request: HttpRequest) -> HttpResponse:
    api = urlsplit(settings.API_URL)
    context = {
        "first": numbers.FIRST,
        "groups": numbers.all_groups(),
        "sandbox_url": f"{api.scheme}://{api.netloc}",
        "admin_url": _admin_url(request),
        "login_url": resolve_url("voicepassword:login"),
        "passwords": people.passwords() if django_settings.DEBUG else {},
    }
    response = render(request, "demo_site/front_page.html", context)
    response["Content-Security-Policy"] = POLICY
    return response


@require_POST
def call(request: HttpRequest) -> HttpResponse:
    """Send the form with the number on to the login page, which calls it."""
    if request.user.is_authenticated:
        # The login page is for people who are not logged in.
        logout(request)
    _accept_account_again()
    return redirect("voicepassword:login", preserve_request=True)


def _accept_account_again() -> None:
    """Read the balance where the provider has refused the account.

    The app itself does it once a minute, which is too slow for somebody who tries every number.
    """
    if statistics.account_is_refused():
        try:
            statistics.read_balance()
        except (ProviderError, ImproperlyConfigured):
            # The login page says that nobody can be called.
            pass


def _admin_url(request: HttpRequest) -> str:
    """Return the address of the app's page in the admin, under the site's other name.

    That page has the box that finds a customer. Under another name the same browser can be logged
    in to the admin while it tries the login page.
    """
    name, _, port = request.get_host().partition(":")
    other = OTHER_NAMES.get(name)
    host = f"{request.scheme}://{other}{port and f':{port}'}" if other else ""
    return f"{host}{reverse('admin:app_list', args=['django_voicepassword'])}"
