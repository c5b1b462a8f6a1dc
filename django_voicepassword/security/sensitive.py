"""``@sensitive``: marks the functions that handle API keys, codes and whole phone numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from django.conf import settings as django_settings
from django.views.decorators.debug import sensitive_variables

from django_voicepassword.security.tracebacks import clear_frames_on_error

Function = TypeVar("Function", bound=Callable[..., object])


def sensitive(function: Function) -> Function:
    """Keep the local variables of ``function``, and of all it calls, out of error reports.

    ``sensitive_variables()`` protects only Django's own reports. This also clears the frames before
    the exception propagates, so that no error tracker can send their variables. With DEBUG on,
    everything is shown, as Django does.
    """
    # Without arguments, Django hides all variables.
    hidden = sensitive_variables()(function)
    return cast(Function, clear_frames_on_error(hidden, unless=lambda: django_settings.DEBUG))
