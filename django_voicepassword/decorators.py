"""Views that only somebody with a proved phone may see: a decorator and a mixin. For DRF see
``api.permissions``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from django_voicepassword.accounts import confirmation

View = Callable[..., HttpResponseBase]


def phone_verified_required(view: View | None = None, *, max_age: float | None = None) -> Any:
    """Let in who is logged in and proved their phone within ``max_age`` seconds; None: at any time.

    Others are sent to the login, or to the page that confirms the number, and come back. A login by
    phone counts::

        @phone_verified_required(max_age=600)
        def withdraw(request): ...
    """

    def decorate(guarded: View) -> View:
        @wraps(guarded)
        def guard(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return redirect_if_unverified(request, max_age) or guarded(request, *args, **kwargs)

        return guard

    return decorate if view is None else decorate(view)


class PhoneVerifiedRequiredMixin:
    """The same for class-based views; put it first. ``phone_max_age``: seconds, None for at any
    time.
    """

    phone_max_age: ClassVar[float | None] = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        answer = redirect_if_unverified(request, self.phone_max_age)
        return answer or super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


def redirect_if_unverified(request: HttpRequest, max_age: float | None) -> HttpResponseBase | None:
    """Where to send who may not see the page; None: nowhere."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if confirmation.is_confirmed(request, max_age):
        return None
    # What was posted is not sent again: the person comes back to the page and decides anew.
    return HttpResponseRedirect(
        f"{reverse('voicepassword:confirm')}?{urlencode({'next': request.get_full_path()})}"
    )
