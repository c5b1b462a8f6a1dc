"""The exception handler of the API: each error is ``{"code", "detail"}`` and its own fields."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import ProgrammingError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler as rest_exception_handler
from rest_framework.views import set_rollback

from django_voicepassword.exceptions import VerificationError
from django_voicepassword.models import Verification
from django_voicepassword.transactions import DATABASE_ERRORS, report_missing_table, unavailable
from django_voicepassword.verifications import messages


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer our own errors, DRF's errors and an unavailable database in the same form."""
    if isinstance(error, ProgrammingError):
        report_missing_table(error)
    if isinstance(error, DATABASE_ERRORS):
        # start(), check() and the others raise Unavailable themselves; this error came between a
        # commit and the answer.
        set_rollback()
        error = unavailable(error)
    if isinstance(error, VerificationError):
        headers = {"Retry-After": str(error.retry_after)} if hasattr(error, "retry_after") else None
        return Response(messages.error_body(error), error.status_code, headers=headers)
    if isinstance(error, Verification.DoesNotExist):
        error = Http404()
    elif isinstance(error, (SuspiciousOperation, BadRequest)):
        # A body that is too long or has too many fields: Django would answer with an HTML page.
        error = exceptions.ParseError()
    response = rest_exception_handler(error, context)
    if response is None:
        return None
    response.data = _body(error, response)
    return response


def _body(error: Exception, response: Response) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        return {
            "code": "invalid",
            "detail": _("Some fields are missing or wrong."),
            "fields": response.data,
        }
    if isinstance(error, Http404):
        return {"code": "not_found", "detail": _("Not found.")}
    code = error.get_codes() if isinstance(error, exceptions.APIException) else "error"
    body: dict[str, Any] = {
        "code": code if isinstance(code, str) else "error",
        "detail": response.data["detail"],
    }
    wait = getattr(error, "wait", None)
    if isinstance(error, exceptions.Throttled) and wait is not None:
        body |= {"code": "rate_limited", "retry_after": int(wait) + 1, "limit": "requests"}
    return body
