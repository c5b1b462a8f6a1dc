"""Lean floors: the least database work that a callback, a start, a check and a login need.

Each floor is a plain Django view. It runs behind the same WSGI handler and the same seven
middlewares as the view of the app, parses the same JSON, and answers with JSON. It uses the plain
ORM on the small tables of ``benchmarks.models``:

=========  =======================================================================================
start      in one transaction 2 INSERTs; after the commit, one task for the same broker
check      1 UPDATE that counts the guess, 1 SELECT, a comparison of digests; no transaction
login      in one transaction 1 UPDATE, 1 SELECT, the comparison, 1 UPDATE that uses the code up;
           then 1 SELECT of the user by the number, and ``django.contrib.auth.login``: a new
           session and ``last_login``, 4 statements
callback   in one transaction 1 SELECT, 1 INSERT, 1 UPDATE
=========  =======================================================================================

A lean floor does nothing else. It has no Django REST Framework, validation, phone number parsing,
rate limits, locks, signed tokens, masking, signals, logging or cookies other than Django's own. Its
tables have no constraints or indexes except primary and foreign keys. It does not import the
package, so the same floor can be measured beside any version of the package.

``floors.py`` has the other kind of floor: views that write the same rows as the app.
"""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.contrib.auth import get_user_model, login
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.csrf import csrf_exempt

from benchmarks.models import Call, Challenge, Report
from benchmarks.worker import empty

STATES = {"ANSWERED": "answered", "NO ANSWER": "no_answer", "BUSY": "busy"}
LIFETIME = timedelta(minutes=5)
MAX_ATTEMPTS = 5
BACKEND = "django.contrib.auth.backends.ModelBackend"


@csrf_exempt
def start(request: HttpRequest) -> JsonResponse:
    phone = json.loads(request.body)["phone"].lstrip("+")
    now = timezone.now()
    with transaction.atomic():
        challenge = Challenge.objects.create(phone=phone, expires_at=now + LIFETIME)
        call = Call.objects.create(challenge=challenge, phone=phone, created_at=now)
        transaction.on_commit(partial(empty.delay, call.pk))
    return JsonResponse({"id": challenge.id, "expires_at": challenge.expires_at}, status=201)


@csrf_exempt
def check(request: HttpRequest, challenge_id: UUID) -> JsonResponse:
    is_right = _guess(challenge_id, json.loads(request.body)["code"]) is not None
    return JsonResponse({"is_right": is_right}, status=200 if is_right else 400)


@csrf_exempt
def log_in(request: HttpRequest) -> JsonResponse:
    body = json.loads(request.body)
    with transaction.atomic():
        challenge = _guess(UUID(body["verification"]), body["code"])
        if challenge is None:
            return JsonResponse({"is_right": False}, status=400)
        Challenge.objects.filter(pk=challenge.pk, is_approved=False).update(is_approved=True)
    user = get_user_model().objects.get(username=challenge.phone)
    login(request, user, backend=BACKEND)
    return JsonResponse({"user": user.pk})


@csrf_exempt
def callback(request: HttpRequest, call_id: int) -> JsonResponse:
    report = json.loads(request.body)
    with transaction.atomic():
        call = Call.objects.get(pk=call_id)
        call.state = STATES[report["state"]]
        Report.objects.create(
            call=call, state=call.state, received_at=timezone.now(), payload=report
        )
        call.save(update_fields=["state"])
    return JsonResponse({"result": "ok"})


def _guess(challenge_id: UUID, code: str) -> Challenge | None:
    """Count the guess, then compare it. None: it is wrong, too late, or one too many."""
    rows = Challenge.objects.filter(pk=challenge_id, attempts__lt=MAX_ATTEMPTS)
    if not rows.update(attempts=F("attempts") + 1):
        return None
    challenge = Challenge.objects.get(pk=challenge_id)
    is_right = constant_time_compare(challenge.digest, _digest(code))
    return challenge if is_right and challenge.expires_at > timezone.now() else None


def _digest(code: str) -> str:
    return salted_hmac("benchmarks.lean_floors", code, algorithm="sha256").hexdigest()


#: The code of every challenge that ``challenges`` makes.
CODE = "1234"


def challenges(phones: list[str]) -> list[Challenge]:
    """Rows for the requests of a batch: a pending challenge for each number."""
    ends, digest = timezone.now() + LIFETIME, _digest(CODE)
    return Challenge.objects.bulk_create(
        [Challenge(phone=phone, digest=digest, expires_at=ends) for phone in phones]
    )


def calls(phones: list[str]) -> list[Call]:
    """Rows for the requests of a batch: a placed call for each number."""
    now = timezone.now()
    return Call.objects.bulk_create(
        [
            Call(challenge=challenge, phone=challenge.phone, state="placed", created_at=now)
            for challenge in challenges(phones)
        ]
    )
