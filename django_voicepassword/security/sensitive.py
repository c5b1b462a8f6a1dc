"""One mark for what handles keys, codes and whole numbers: reports of its faults show no variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from django.conf import settings as django_settings
from django.views.decorators.debug import sensitive_variables

from django_voicepassword.security.tracebacks import forgetful

Function = TypeVar("Function", bound=Callable[..., object])


def sensitive(function: Function) -> Function:
    """Django's report of an error, and any other, has no variable of ``function`` and of all that
    it calls.

    Django's mark hides them in what is reported meanwhile, of Django's reports alone; what leaves
    ``function`` has none left for anybody. Under DEBUG, as with Django's mark, everything is shown.
    """
    # No names: all variables.
    return cast(
        Function, forgetful(sensitive_variables()(function), unless=lambda: django_settings.DEBUG)
    )
