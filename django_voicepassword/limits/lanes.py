"""The two lanes: whoever has proved the number before, and everybody else."""

from __future__ import annotations

from django.db import router
from django.http import HttpRequest

from django_voicepassword.limits.devices import is_trusted
from django_voicepassword.models import CallRequest, VerifiedPhone


def lane_of(request: HttpRequest | None, phone: str) -> CallRequest.Lane:
    """Return the lane of a request about ``phone``.

    It is PROVEN where the request shows the token of a trusted device of the number, or comes from
    a logged-in user whose proved number it is. The API knows no session: there ``request.user`` is
    anonymous, and the token decides. Without a token and a user there is no query.

    Call it before the transaction of a send. On SQLite a transaction that begins with a read cannot
    wait for a writer.
    """
    is_proven = is_trusted(request, phone) or _has_proved(request, phone)
    return CallRequest.Lane.PROVEN if is_proven else CallRequest.Lane.UNPROVEN


def _has_proved(request: HttpRequest | None, phone: str) -> bool:
    """Whether the user who is logged in has proved the number."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return False
    proved = VerifiedPhone.objects.using(router.db_for_write(VerifiedPhone))
    return proved.filter(phone=phone, user_id=user.pk).exists()
