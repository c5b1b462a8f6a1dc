"""Protect views so that only people with a proved phone number see them.

For DRF views see ``api.permissions``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import isawaitable
from typing import Any, ClassVar, TypeVar, cast, overload
from urllib.parse import urlencode

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from django_voicepassword.accounts import confirmation

View = TypeVar("View", bound=Callable[..., Any])


@overload
def phone_verified_required(view: View, *, max_age: float | None = None) -> View: ...


@overload
def phone_verified_required(
    view: None = None, *, max_age: float | None = None
) -> Callable[[View], View]: ...


def phone_verified_required(
    view: View | None = None, *, max_age: float | None = None
) -> View | Callable[[View], View]:
    """Let a logged-in person in who proved their phone number within ``max_age`` seconds.

    Without ``max_age`` the proof may have any age. In both cases the number must still be theirs.
    A login by phone counts as a proof. Anybody else is redirected to the login, or to the page that
    confirms the number, and then back::

        @phone_verified_required(max_age=600)
        def withdraw(request): ...

    The view may be an ``async def``, or the ``dispatch`` of a class-based view.
    """

    def decorate(view: View) -> View:
        guard = _guard_async if _is_async(view) else _guard
        return cast(View, guard(view, max_age))

    return decorate if view is None else decorate(view)


def _is_async(view: Callable[..., Any]) -> bool:
    """Whether the result of a view is to be awaited.

    The ``dispatch`` of an async class is a plain method that returns a coroutine. Django's
    ``method_decorator`` passes it as a ``partial``.
    """
    instance = getattr(getattr(view, "func", view), "__self__", None)
    return iscoroutinefunction(view) or bool(getattr(instance, "view_is_async", False))


def _guard(view: Callable[..., Any], max_age: float | None) -> Callable[..., Any]:
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> Any:
        return redirect_if_unverified(request, max_age) or view(request, *args, **kwargs)

    return guarded


def _guard_async(view: Callable[..., Any], max_age: float | None) -> Callable[..., Any]:
    @wraps(view)
    async def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        return await _respond(request, max_age, partial(view, request, *args, **kwargs))

    return guarded


async def _respond(
    request: HttpRequest, max_age: float | None, view: Callable[[], Any]
) -> HttpResponseBase:
    # In a thread: it reads the session, the user and the proof from the database.
    redirect = await sync_to_async(redirect_if_unverified)(request, max_age)
    if redirect is not None:
        return redirect
    response = view()
    # Another mixin of an async class may answer with a plain response.
    return await response if isawaitable(response) else response  # type: ignore[no-any-return]


class PhoneVerifiedRequiredMixin:
    """``phone_verified_required`` for class-based views, also for those with async methods.

    Make it the first base class.

    ``phone_max_age``: the greatest age of the proof in seconds; None for any age.
    """

    phone_max_age: ClassVar[float | None] = None

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> Any:
        view = partial(super().dispatch, request, *args, **kwargs)  # type: ignore[misc]
        if getattr(self, "view_is_async", False):
            return _respond(request, self.phone_max_age, view)
        return redirect_if_unverified(request, self.phone_max_age) or view()


def redirect_if_unverified(request: HttpRequest, max_age: float | None) -> HttpResponseBase | None:
    """Return the redirect for a person who may not see the view, or None for one who may."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if confirmation.is_confirmed(request, max_age):
        return None
    # The redirect back is a GET: posted data is not sent again, so the person decides once more.
    return HttpResponseRedirect(
        f"{reverse('voicepassword:confirm')}?{urlencode({'next': request.get_full_path()})}"
    )
