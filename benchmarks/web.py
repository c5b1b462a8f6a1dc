"""Callback, start, check and login: our views beside plain ones, through the same WSGI handler and
middleware.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from benchmarks.databases import Database
from benchmarks.measuring import Ratio, Table, Work, alternate
from django_voicepassword import tasks
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from django_voicepassword.security import callback_tokens, codes

Request = tuple[dict[str, Any], int]

_chance = random.Random()
_factory = RequestFactory()
#: All five limits at once, as a busy site may have them.
ALL_LIMITS = {"prefix": ["1000/h"], "site": ["100000/h", "1000000/d"]}


def measure(names: Sequence[str], databases: dict[int, Database], rounds: int, batch: int) -> Table:
    """``databases``: by the length of their history; each work alternates between all of them."""
    table = Table(
        f"Views, {next(iter(databases.values())).connection.vendor}",
        *(
            "work",
            "history",
            "floor, µs",
            "ours, µs",
            "ratio",
            "statements",
            "lean floor",
            "history costs",
        ),
    )
    usual = django_settings.VOICEPASSWORD
    for name in names:
        for title, ours, floor, lean, settings in MEASURED[name]:
            # Not override_settings: with it every access to a setting is slower.
            django_settings.VOICEPASSWORD = {**usual, **settings}
            _measure(table, title, [ours, floor, lean], databases, rounds, batch)
    django_settings.VOICEPASSWORD = usual
    return table


def _measure(
    table: Table,
    title: str,
    kinds: list[Any],
    databases: dict[int, Database],
    rounds: int,
    batch: int,
) -> None:
    handler = WSGIHandler()
    works = {
        rows: [
            Work(kind, partial(_ask, handler), database.use) for kind in kinds if kind is not None
        ]
        for rows, database in databases.items()
    }
    alternate([work for group in works.values() for work in group], rounds, batch, title)
    shortest = works[min(works)][0]
    for rows, (ours, floor, *lean) in works.items():
        table.add(
            title,
            f"{rows:,}",
            f"{floor.microseconds:.0f}",
            f"{ours.microseconds:.0f}",
            Ratio.of(ours.times, floor.times),
            f"{ours.statements} / {floor.statements}",
            f"{Ratio.of(ours.times, lean[0].times).middle:.2f}" if lean else "",
            f"{Ratio.of(ours.times, shortest.times).middle:.2f}" if ours is not shortest else "",
        )


def _ask(handler: WSGIHandler, request: Request) -> None:
    """What a WSGI server does; the answer must have the status expected."""
    environ, expected = request
    seen: list[str] = []
    response = handler(environ, lambda status, headers: seen.append(status))
    for _ in response:
        pass
    response.close()
    if not seen[0].startswith(str(expected)):
        raise SystemExit(f"{environ['PATH_INFO']} answered {seen[0]}: {response.content[:500]!r}")


def _post(path: str, body: dict[str, Any], expected: int = 200) -> Request:
    address = ".".join(str(_chance.randrange(1, 255)) for _ in range(4))
    request = _factory.post(
        path, json.dumps(body), content_type="application/json", REMOTE_ADDR=address
    )
    return request.environ, expected


def _phone() -> str:
    """One that the history does not have."""
    return f"7{_chance.randrange(910, 920)}{_chance.randrange(10**7):07}"


def calls(count: int, state: str = "placed") -> list[CallRequest]:
    """Verifications of just now, each with a call that was placed, or is queued still."""
    now = timezone.now()
    numbers = [_phone() for _ in range(count)]
    verifications = Verification.objects.bulk_create(
        [
            Verification(
                phone=one,
                sends=1,
                created_at=now,
                last_sent_at=now,
                expires_at=now + timedelta(seconds=300),
            )
            for one in numbers
        ]
    )
    made = [
        CallRequest(
            verification=one,
            phone=one.phone,
            channel="flashcall",
            created_at=now,
            **(_placed(one, now) if state == "placed" else {"state": state}),
        )
        for one in verifications
    ]
    return CallRequest.objects.bulk_create(made)


def _placed(verification: Verification, now: datetime) -> dict[str, Any]:
    return {
        "state": "placed",
        "provider_id": str(_chance.randrange(10**12)),
        "price": Decimal("0.35"),
        "claimed_at": now,
        "placed_at": now,
        "next_poll_at": now + timedelta(seconds=15),
        "code_digest": codes.digest(
            verification.id, verification.phone, codes.make(verification.id)
        ),
    }


def _callbacks(path: Callable[[CallRequest], str], count: int) -> list[Request]:
    return [
        _post(
            path(call),
            {
                "id": call.provider_id,
                "number": call.phone,
                "state": "NO ANSWER",
                "duration": "4",
                "price": "0.35",
                "date": "2026-02-02 15:18:48",
            },
        )
        for call in calls(count)
    ]


def _callback_path(call: CallRequest) -> str:
    return reverse("voicepassword:callback", args=[callback_tokens.make_callback_token(call.pk)])


def _starts(path: str, count: int) -> list[Request]:
    # A queue in memory would grow with every start.
    tasks.place_call.app.control.purge()
    return [_post(path, {"phone": f"+{_phone()}"}, 201) for _ in range(count)]


def _checks(path: Callable[[CallRequest], str], is_right: bool, count: int) -> list[Request]:
    checks = []
    for call in calls(count):
        code = codes.make(call.verification_id)  # type: ignore[arg-type]
        typed = code if is_right else str((int(code) + 1) % 10**4).zfill(4)
        checks.append(_post(path(call), {"code": typed}, 200 if is_right else 400))
    return checks


def _check_path(call: CallRequest) -> str:
    return reverse("voicepassword-api:verification-check", args=[call.verification_id])


def _logins(path: str, count: int) -> list[Request]:
    """Of people who logged in before."""
    made = calls(count)
    model = get_user_model()
    users = model.objects.bulk_create(
        [model(username=f"bench_{call.pk}", password="!") for call in made]
    )
    VerifiedPhone.objects.bulk_create(
        [VerifiedPhone(user=user, phone=call.phone) for user, call in zip(users, made, strict=True)]
    )
    given = [(str(call.verification_id), codes.make(call.verification_id)) for call in made]  # type: ignore[arg-type]
    return [
        _post(path, {"verification": verification, "code": code}) for verification, code in given
    ]


def _floor_check(call: CallRequest) -> str:
    return f"/floor/check/{call.verification_id}/"


#: Name -> what is measured under it: title, ours, the floor, the lean floor, settings.
MEASURED: dict[str, list[tuple[str, Any, Any, Any, dict[str, Any]]]] = {
    "callback": [
        (
            "callback",
            partial(_callbacks, _callback_path),
            partial(_callbacks, lambda call: f"/floor/callback/{call.pk}/"),
            None,
            {},
        )
    ],
    "start": [
        (
            title,
            partial(_starts, "/api/verifications/"),
            partial(_starts, "/floor/start/"),
            partial(_starts, "/floor/start/lean/"),
            settings,
        )
        for title, settings in (("start", {}), ("start, all limits", {"LIMITS": ALL_LIMITS}))
    ],
    "check": [
        (
            title,
            partial(_checks, _check_path, is_right),
            partial(_checks, _floor_check, is_right),
            partial(_checks, lambda call: f"{_floor_check(call)}lean/", is_right),
            {},
        )
        for title, is_right in (("check, right", True), ("check, wrong", False))
    ],
    "login": [
        ("login", partial(_logins, "/api/login/"), partial(_logins, "/floor/login/"), None, {})
    ],
}
