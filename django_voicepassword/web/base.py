"""The base class of the pages: rendering, redirects, and the answer while the database is down."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from django.conf import global_settings
from django.conf import settings as django_settings
from django.contrib.auth.decorators import login_not_required
from django.db import ProgrammingError
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import is_valid_path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from django_voicepassword.exceptions import Unavailable, VerificationError
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.transactions import (
    DATABASE_ERRORS,
    non_atomic_requests,
    report_missing_table,
    unavailable,
)
from django_voicepassword.verifications import messages
from django_voicepassword.verifications.challenge import Widget
from django_voicepassword.web import challenges, security_headers

#: The name of the query parameter and of the hidden form field.
NEXT = "next"


# Exempt from ATOMIC_REQUESTS: an error after a guess would roll back its count.
@method_decorator(non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("phone", "code"), name="dispatch")
@method_decorator(sensitive, name="dispatch")
@method_decorator(never_cache, name="dispatch")
@method_decorator(csrf_protect, name="dispatch")
@method_decorator(login_not_required, name="dispatch")
class PageView(View):
    """Base class of all pages. Subclasses set ``template_name`` and call ``render``."""

    template_name = ""
    #: The route name of the page to open again after an error.
    page_name = "login"
    #: The widget on the page, where there is a challenge to solve.
    challenge: Widget | None = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response = self.answer(request, *args, **kwargs)
        security_headers.protect(response, self.template_name, self.challenge)
        return response

    def answer(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except Unavailable as error:
            # The code that raised it has logged the cause.
            return self.render_unavailable(error)
        except DATABASE_ERRORS as error:
            return self.render_unavailable(unavailable(error))
        except ProgrammingError as error:
            report_missing_table(error)
            raise

    def render_unavailable(self, error: VerificationError) -> HttpResponse:
        """Render an error page without a database query: even the session may be unreadable."""
        # Without the request, no context processor queries the database either.
        text = render_to_string(
            "voicepassword/unavailable.html",
            {"text": messages.error_text(error), "address": self.page_url(self.page_name)},
        )
        return HttpResponse(text, status=error.status_code)

    def render(
        self,
        context: Mapping[str, object] | None = None,
        error: VerificationError | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """Render ``template_name``. An ``error`` sets the status and, where known, Retry-After."""
        self.challenge = challenges.shown(self.request, error)
        always = {"next": self.next_url, "error": error, "challenge": self.challenge}
        response = TemplateResponse(
            self.request,
            self.template_name,
            {**always, **(context or {})},
            status=error.status_code if error else status,
        )
        if error is not None and hasattr(error, "retry_after"):
            response["Retry-After"] = str(error.retry_after)
        return response

    @property
    def next_url(self) -> str:
        """The requested URL to go to afterwards; "" if there is none or it is unsafe."""
        requested = self.request.POST.get(NEXT) or self.request.GET.get(NEXT) or ""
        is_safe = url_has_allowed_host_and_scheme(
            requested,
            allowed_hosts={self.request.get_host()},
            require_https=self.request.is_secure(),
        )
        # Django accepts a bare "//", which names no host and which no browser can open.
        return requested if is_safe and not requested.startswith("//") else ""

    def page_url(self, name: str) -> str:
        """The URL of the page with this route name; it carries ``next`` in its query."""
        query = f"?{urlencode({NEXT: self.next_url})}" if self.next_url else ""
        return f"{reverse(f'{self.request.resolver_match.namespace}:{name}')}{query}"  # type: ignore[union-attr]

    def redirect_to_page(self, name: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.page_url(name))

    @property
    def target_url(self) -> str:
        """The URL to go to after a login: ``next``, or LOGIN_REDIRECT_URL.

        "" where there is none: LOGIN_REDIRECT_URL is still Django's default, and the project has no
        page at that address.
        """
        default = str(global_settings.LOGIN_REDIRECT_URL)
        configured = django_settings.LOGIN_REDIRECT_URL
        is_missing = configured == default and not is_valid_path(default)
        return self.next_url or ("" if is_missing else resolve_url(configured))

    def redirect_to_next(self) -> HttpResponseRedirect:
        """Redirect to ``target_url``, or to the page that says that one is logged in."""
        return HttpResponseRedirect(self.target_url or self.page_url("login"))

    def is_logged_in(self) -> bool:
        return bool(self.request.user.is_authenticated)
