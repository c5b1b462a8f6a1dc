"""What all pages share."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings as django_settings
from django.contrib.auth.decorators import login_not_required
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from django_voicepassword.exceptions import Unavailable, VerificationError
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.transactions import DATABASE_ERRORS, non_atomic_requests, unavailable
from django_voicepassword.verifications import messages

NEXT = "next"


# A rollback would un-count a guess: these views are never wrapped in ATOMIC_REQUESTS' transaction.
@method_decorator(non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("phone", "code"), name="dispatch")
@method_decorator(sensitive, name="dispatch")
@method_decorator(never_cache, name="dispatch")
@method_decorator(csrf_protect, name="dispatch")
@method_decorator(login_not_required, name="dispatch")
class Page(View):
    """What the pages share: ``template_name``, the address to go to afterwards, and how an error is
    told.
    """

    template_name = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        except Unavailable as error:
            # Whoever raised it told the log.
            return self.apologize(error)
        except DATABASE_ERRORS as error:
            return self.apologize(unavailable(error))

    def apologize(self, error: VerificationError) -> HttpResponse:
        """Not even what this browser is at can be read: a page that asks the database for nothing."""
        # Without the request no context processor asks either.
        text = render_to_string(
            "voicepassword/unavailable.html", {"text": messages.error_text(error)}
        )
        return HttpResponse(text, status=error.status_code)

    @property
    def next(self) -> str:
        """Where to go after the login, "" where nothing safe was asked for."""
        wanted = self.request.POST.get(NEXT) or self.request.GET.get(NEXT) or ""
        is_safe = url_has_allowed_host_and_scheme(
            wanted, allowed_hosts={self.request.get_host()}, require_https=self.request.is_secure()
        )
        # Django lets "//" pass, which names no host; no browser can go there.
        return wanted if is_safe and not wanted.startswith("//") else ""

    def address(self, name: str) -> str:
        """The page of this name, with ``next`` in its query."""
        query = f"?{urlencode({NEXT: self.next})}" if self.next else ""
        return f"{reverse(f'{self.request.resolver_match.namespace}:{name}')}{query}"  # type: ignore[union-attr]

    def go(self, name: str) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.address(name))

    def leave(self) -> HttpResponseRedirect:
        """To where the person wanted to go."""
        return HttpResponseRedirect(self.next or resolve_url(django_settings.LOGIN_REDIRECT_URL))

    def is_logged_in(self) -> bool:
        return bool(self.request.user.is_authenticated)

    def page(
        self, error: VerificationError | None = None, status: int = 200, **context: Any
    ) -> HttpResponse:
        """The page; with ``error`` its status and, where it carries one, Retry-After."""
        response = TemplateResponse(
            self.request,
            self.template_name,
            {"next": self.next, "error": error, **context},
            status=error.status_code if error else status,
        )
        if error is not None and hasattr(error, "retry_after"):
            response["Retry-After"] = str(error.retry_after)
        return response
