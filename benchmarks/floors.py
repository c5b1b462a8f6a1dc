"""Floors: plain Django views, written by hand, that write the same rows as the app.

They trust the request and skip everything else that the app does: they verify no token, parse no
phone number, enforce no limit (the counters are locked, read and written as in the app), mask
nothing, describe nothing in the answer, and do not distinguish errors.

``lean_floors.py`` has floors that write less than the app must.
"""

from __future__ import annotations

import hmac
import json
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import login
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from django_voicepassword.models import CallRequest, CallStatus, Verification, VerifiedPhone
from django_voicepassword.security import codes
from django_voicepassword.verifications import dispatch

STATES = {
    "ANSWERED": "answered",
    "NO ANSWER": "no_answer",
    "BUSY": "busy",
    "CANCEL": "canceled",
    "FAIL": "failed",
}
ZONE = ZoneInfo("Europe/Moscow")


@csrf_exempt
def callback(request: HttpRequest, call_id: int) -> JsonResponse:
    """In one transaction 1 SELECT, 1 UPDATE, 1 INSERT."""
    report = json.loads(request.body)
    now = timezone.now()
    occurred_at = datetime.strptime(report["date"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
    with transaction.atomic():
        call = CallRequest.objects.get(pk=call_id)
        call.state = STATES[report["state"]]
        call.duration, call.price = int(report["duration"]), Decimal(report["price"])
        call.occurred_at, call.finished_at, call.next_poll_at = occurred_at, now, None
        call.save(
            update_fields=[
                "state",
                "duration",
                "price",
                "occurred_at",
                "finished_at",
                "next_poll_at",
            ]
        )
        CallStatus.objects.create(
            call=call,
            state=call.state,
            raw_state=report["state"],
            source="callback",
            occurred_at=occurred_at,
            received_at=now,
            duration=call.duration,
            price=call.price,
            payload={**report, "number": report["number"][-2:]},
        )
    return JsonResponse({"result": "ok"})


@csrf_exempt
def start(request: HttpRequest) -> JsonResponse:
    """Lock and read the counters of the limits, write them, 2 INSERTs, and a task for a worker."""
    phone = json.loads(request.body)["phone"].lstrip("+")
    ip = request.META["REMOTE_ADDR"]
    now = timezone.now()
    with transaction.atomic():
        _count(_keys(phone, ip), now)
        verification = Verification(
            phone=phone,
            sends=1,
            created_at=now,
            last_sent_at=now,
            expires_at=now + timedelta(seconds=300),
            ip=ip,
        )
        verification.save(force_insert=True)
        call = CallRequest.objects.create(
            verification=verification, phone=phone, channel="flashcall", created_at=now
        )
        transaction.on_commit(partial(dispatch.enqueue, call.pk))
    return JsonResponse(
        {"id": verification.id, "status": "pending", "expires_at": verification.expires_at},
        status=201,
    )


def _keys(phone: str, ip: str) -> dict[str, list[str]]:
    """Map each counter to its rates, as in LIMITS of the measured project."""
    from django_voicepassword.conf import settings as app_settings

    limits = app_settings.limits
    subjects = {"ip": ip, "phone": phone, "prefix": phone[:-4], "site": ""}
    return {f"{name}:{subject}": limits[name] for name, subject in subjects.items() if limits[name]}


def _count(keys: dict[str, list[str]], now: datetime) -> None:
    """Add one event to each counter: one statement locks and reads them, one writes them."""
    moment = int(now.timestamp() * 1000)
    rows = _upsert([(key, "{}") for key in keys], "updated_at", now, " RETURNING key, events")
    written = []
    for key, text in rows:
        events = json.loads(text)
        for rate in keys[key]:
            # Keep at most 100 entries, as the app does for a busy counter.
            events[rate] = [*events.get(rate, [])[-99:], [moment, 1]]
        written.append((key, json.dumps(events)))
    _upsert(written, "events", now)


def _upsert(
    rows: list[tuple[str, str]], column: str, now: datetime, returning: str = ""
) -> list[tuple[str, str]]:
    conflict = f"ON CONFLICT (key) DO UPDATE SET {column} = excluded.{column}"
    if connection.vendor == "mysql":
        conflict = f"ON DUPLICATE KEY UPDATE {column} = VALUES({column})"
    marks = ", ".join(["(%s, %s, 0, %s)"] * len(rows))
    statement = (
        "INSERT INTO django_voicepassword_limitcounter (key, events, amount, updated_at)"
        f" VALUES {marks} {conflict}{returning}"
    )
    if connection.vendor == "mysql":
        statement = statement.replace("(key,", "(`key`,").replace(
            "RETURNING key", "RETURNING `key`"
        )
    moment: Any = now if connection.vendor == "postgresql" else now.replace(tzinfo=None)
    with connection.cursor() as cursor:
        cursor.execute(
            statement, [value for key, events in rows for value in (key, events, moment)]
        )
        return list(cursor.fetchall()) if returning else []


@csrf_exempt
def check(request: HttpRequest, verification_id: UUID) -> JsonResponse:
    """Count the guess, read the verification and its calls, write the approval or the counter of
    wrong guesses.
    """
    verification = _check(verification_id, json.loads(request.body)["code"])
    if verification is None:
        return JsonResponse({"code": "wrong_code", "detail": "The code is wrong."}, status=400)
    return JsonResponse({"id": verification.id, "status": "approved"})


def _check(verification_id: UUID, code: str) -> Verification | None:
    """1 UPDATE, 2 SELECTs; then 1 UPDATE if the code is right. If it is wrong, the counter is
    locked, read and written.
    """
    now = timezone.now()
    with transaction.atomic():
        _pending(verification_id).filter(attempts__lt=5, expires_at__gt=now).update(
            attempts=F("attempts") + 1
        )
        verification = Verification.objects.get(id=verification_id)
        calls = list(verification.calls.order_by("id"))
        if not hmac.compare_digest(
            calls[-1].code_digest, codes.digest(verification.id, verification.phone, code)
        ):
            _count({f"phone_guesses:{verification.phone}": ["15/d"]}, now)
            return None
        _pending(verification_id).update(status="approved", approved_at=now)
    return verification


def _pending(verification_id: UUID) -> QuerySet[Verification]:
    # Not status="pending": with stale statistics PostgreSQL picks the status index and scans every
    # pending row. With the other states excluded it uses the primary key.
    return Verification.objects.filter(id=verification_id).exclude(
        status__in=["approved", "canceled", "max_attempts"]
    )


@csrf_exempt
def log_in(request: HttpRequest) -> JsonResponse:
    """Check the right code, find the user of the number, and log in to a new session."""
    body = json.loads(request.body)
    verification = _check(UUID(body["verification"]), body["code"])
    assert verification is not None
    user = VerifiedPhone.objects.select_related("user").get(phone=verification.phone).user
    Verification.objects.filter(id=verification.id).update(user=user)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[1])
    return JsonResponse({"user": {"id": user.pk, "username": user.get_username()}})
