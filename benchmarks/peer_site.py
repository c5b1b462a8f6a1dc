"""Other packages as a site would use them: their routes, and what they ask a site to write.

Each is set up with the least that lets it do its work, and sends nothing. Imported only with
``--peers``: the packages are those of the extra ``peers``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.middleware import AccountMiddleware
from allauth.headless.account.views import ConfirmLoginCodeView, RequestLoginCodeView
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django_otp import verify_token
from phone_verify.backends.base import BaseBackend

#: The codes that allauth would have sent: number -> code.
sent: dict[str, str] = {}


class Adapter(DefaultAccountAdapter):
    """allauth's: the number of a user is the username, as on the lean floors."""

    def get_user_by_phone(self, phone: str) -> Any:
        return get_user_model().objects.filter(username=phone.lstrip("+")).first()

    def get_phone(self, user: Any) -> tuple[str, bool]:
        return f"+{user.username}", True

    def set_phone(self, user: Any, phone: str, verified: bool) -> None:
        """A user has the number already."""

    def set_phone_verified(self, user: Any, phone: str) -> None:
        """A user's number is verified already."""

    def send_verification_code_sms(self, user: Any, phone: str, code: str, **given: Any) -> None:
        sent[phone] = code


class Backend(BaseBackend):
    """phone-verify's: it sends nothing."""

    exception_class = OSError

    def __init__(self, **options: Any) -> None:
        pass

    def send_sms(self, number: str, message: str) -> None:
        pass

    def send_bulk_sms(self, numbers: list[str], message: str) -> None:
        pass


@csrf_exempt
def check_device(request: HttpRequest) -> JsonResponse:
    """django-otp has no views of this kind: its function, which needs the user, in a plain one."""
    given = json.loads(request.body)
    user = get_user_model().objects.get(pk=given["user"])
    is_right = verify_token(user, given["device"], given["code"]) is not None
    return JsonResponse({"is_right": is_right}, status=200 if is_right else 400)


def _with_middleware(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """allauth asks for a middleware of its own. Requests of the others do not pass it."""

    @wraps(view)
    def passed(request: HttpRequest, **given: Any) -> HttpResponse:
        response: HttpResponse = AccountMiddleware(partial(view, **given))(request)
        return response

    return passed


urlpatterns = [
    path("phone-verify/", include("phone_verify.urls")),
    path("otp/check/", check_device),
    path("allauth/code/request/", _with_middleware(RequestLoginCodeView.as_api_view(client="app"))),
    path("allauth/code/confirm/", _with_middleware(ConfirmLoginCodeView.as_api_view(client="app"))),
]
