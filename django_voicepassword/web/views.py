"""The pages of a login by phone. Each view parses the request, calls one verb and renders."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import resolve_url

from django_voicepassword.web.base import PageView
from django_voicepassword.web.code_views import CancelView, CodeView, ResendView, StateView
from django_voicepassword.web.start_views import ConfirmView, LoginView

__all__ = [
    "CancelView",
    "CodeView",
    "ConfirmView",
    "LoginView",
    "LogoutView",
    "ResendView",
    "StateView",
]


class LogoutView(PageView):
    """Logs out by POST; GET asks for a confirmation."""

    template_name = "voicepassword/logout.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        return self.render() if self.is_logged_in() else self.redirect_to_page("login")

    def post(self, request: HttpRequest) -> HttpResponseBase:
        logout(request)
        if self.next_url:
            return HttpResponseRedirect(self.next_url)
        redirect_url = django_settings.LOGOUT_REDIRECT_URL
        if redirect_url:
            return HttpResponseRedirect(resolve_url(redirect_url))
        return self.redirect_to_page("login")
