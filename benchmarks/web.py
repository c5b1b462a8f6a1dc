"""Callback, start, check and login: the views of the app, and next to each two floors, through the
same WSGI handler and middlewares.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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

from benchmarks import lean_floors, peers
from benchmarks.databases import Database
from benchmarks.measuring import Ratio, Table, Work, alternate
from django_voicepassword import tasks
from django_voicepassword.models import CallRequest, Verification, VerifiedPhone
from django_voicepassword.security import callback_tokens, codes

#: A WSGI environment, and the status of the answer that is expected.
Request = tuple[dict[str, Any], int]
#: Makes so many requests, and the rows that they need.
Prepare = Callable[[int], Sequence[Request]]

_chance = random.Random()
_numbers = itertools.count(_chance.randrange(10**8))
_factory = RequestFactory()
#: All five limits at once, as a busy site may have them.
ALL_LIMITS = {"prefix": ["1000/h"], "site": ["100000/h", "1000000/d"]}


@dataclass(frozen=True)
class Case:
    """One row of the table. ``settings``: added to VOICEPASSWORD."""

    title: str
    app: Prepare
    floor: Prepare
    lean_floor: Prepare
    settings: dict[str, Any] = field(default_factory=dict)
    #: The nearest work of other packages, by their names.
    peers: dict[str, Prepare] = field(default_factory=dict)


def measure(
    names: Sequence[str],
    databases: dict[int, Database],
    rounds: int,
    batch: int,
    with_peers: bool = False,
) -> Table:
    """``databases``: by the length of their history; each case alternates between all of them."""
    table = Table(
        f"Views, {next(iter(databases.values())).connection.vendor}",
        *(
            "work",
            "history",
            "app or peer, µs",
            "floor, µs",
            "to the floor",
            "lean floor, µs",
            "to the lean floor",
            "statements",
            "history costs",
        ),
    )
    usual = django_settings.VOICEPASSWORD
    for name in names:
        for case in CASES[name]:
            # override_settings would make every access to a setting slower.
            django_settings.VOICEPASSWORD = {**usual, **case.settings}
            _measure(table, case, databases, rounds, batch, case.peers if with_peers else {})
    django_settings.VOICEPASSWORD = usual
    return table


def _measure(
    table: Table,
    case: Case,
    databases: dict[int, Database],
    rounds: int,
    batch: int,
    others: dict[str, Prepare],
) -> None:
    handler = WSGIHandler()
    works = {
        rows: [
            Work(prepare, partial(_ask, handler), database.use)
            for prepare in (case.app, case.floor, case.lean_floor, *others.values())
        ]
        for rows, database in databases.items()
    }
    alternate([work for group in works.values() for work in group], rounds, batch, case.title)
    shortest = works[min(works)][0]
    for rows, (app, floor, lean_floor, *measured) in works.items():
        table.add(
            case.title,
            f"{rows:,}",
            f"{app.microseconds:.0f}",
            f"{floor.microseconds:.0f}",
            Ratio.of(app.times, floor.times),
            f"{lean_floor.microseconds:.0f}",
            Ratio.of(app.times, lean_floor.times),
            f"{app.statements} / {floor.statements} / {lean_floor.statements}",
            f"{Ratio.of(app.times, shortest.times).median:.2f}" if app is not shortest else "",
        )
        for name, peer in zip(others, measured, strict=True):
            table.add(
                f"{case.title}: {peers.titles()[name]}",
                f"{rows:,}",
                f"{peer.microseconds:.0f}",
                "",
                "",
                f"{lean_floor.microseconds:.0f}",
                Ratio.of(peer.times, lean_floor.times),
                f"{peer.statements} / – / {lean_floor.statements}",
                "",
            )


def _ask(handler: WSGIHandler, request: Request) -> None:
    """Do what a WSGI server does. The answer must have the expected status."""
    environ, expected = request
    seen: list[str] = []

    def start(
        status: str, headers: list[tuple[str, str]], *exc_info: Any
    ) -> Callable[[bytes], object]:
        seen.append(status)
        return _write

    response = handler(environ, start)
    for _ in response:
        pass
    response.close()
    if not seen[0].startswith(str(expected)):
        answer = getattr(response, "content", b"")
        raise SystemExit(f"{environ['PATH_INFO']} answered {seen[0]}: {answer[:500]!r}")


def _write(data: bytes) -> None:
    """WSGI asks for it; Django never calls it."""


def _post(path: str, body: dict[str, Any], expected: int = 200) -> Request:
    address = ".".join(str(_chance.randrange(1, 255)) for _ in range(4))
    request = _factory.post(
        path, json.dumps(body), content_type="application/json", REMOTE_ADDR=address
    )
    return request.environ, expected


def _phone() -> str:
    """A number that no other request and no history has. Neighbours in time are far apart."""
    return f"791{next(_numbers) * 38_742_047 % 10**8:08}"


def calls(count: int, state: str = "placed") -> list[CallRequest]:
    """New verifications, each with a call in ``state``: "placed" or "queued"."""
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


def _phones(count: int) -> list[str]:
    return [_phone() for _ in range(count)]


def _callbacks(path: Callable[[CallRequest], str], count: int) -> list[Request]:
    return [_callback(path(call), call.provider_id, call.phone) for call in calls(count)]


def _lean_callbacks(count: int) -> list[Request]:
    return [
        _callback(f"/lean-floor/callback/{call.pk}/", str(_chance.randrange(10**12)), call.phone)
        for call in lean_floors.calls(_phones(count))
    ]


def _callback(path: str, provider_id: str, phone: str) -> Request:
    return _post(
        path,
        {
            "id": provider_id,
            "number": phone,
            "state": "NO ANSWER",
            "duration": "4",
            "price": "0.35",
            "date": "2026-02-02 15:18:48",
        },
    )


def _callback_path(call: CallRequest) -> str:
    return reverse("voicepassword:callback", args=[callback_tokens.make_callback_token(call.pk)])


def _starts(path: str, count: int) -> list[Request]:
    # A queue in memory would grow with every start.
    tasks.place_call.app.control.purge()
    return [_post(path, {"phone": f"+{_phone()}"}, 201) for _ in range(count)]


def _checks(path: Callable[[CallRequest], str], is_right: bool, count: int) -> list[Request]:
    return [
        _check(path(call), codes.make(call.verification_id), is_right)  # type: ignore[arg-type]
        for call in calls(count)
    ]


def _lean_checks(is_right: bool, count: int) -> list[Request]:
    return [
        _check(f"/lean-floor/check/{challenge.pk}/", lean_floors.CODE, is_right)
        for challenge in lean_floors.challenges(_phones(count))
    ]


def _check(path: str, code: str, is_right: bool) -> Request:
    typed = code if is_right else str((int(code) + 1) % 10**4).zfill(4)
    return _post(path, {"code": typed}, 200 if is_right else 400)


def _check_path(call: CallRequest) -> str:
    return reverse("voicepassword-api:verification-check", args=[call.verification_id])


def _logins(path: str, count: int) -> list[Request]:
    """Logins of users who have logged in before."""
    made = calls(count)
    users = _users([f"bench_{call.pk}" for call in made])
    VerifiedPhone.objects.bulk_create(
        [VerifiedPhone(user=user, phone=call.phone) for user, call in zip(users, made, strict=True)]
    )
    return [
        _login(path, call.verification_id, codes.make(call.verification_id))  # type: ignore[arg-type]
        for call in made
    ]


def _lean_logins(count: int) -> list[Request]:
    challenges = lean_floors.challenges(_phones(count))
    _users([challenge.phone for challenge in challenges])
    return [_login("/lean-floor/login/", one.pk, lean_floors.CODE) for one in challenges]


def _login(path: str, verification_id: Any, code: str) -> Request:
    return _post(path, {"verification": str(verification_id), "code": code})


def _users(names: list[str]) -> list[Any]:
    model = get_user_model()
    return model.objects.bulk_create([model(username=name, password="!") for name in names])


def _other(
    make: Callable[[peers.Post, Sequence[Any]], list[Request]], with_users: bool, count: int
) -> list[Request]:
    """Requests to another package: for new numbers, or for new users with such a number."""
    phones = _phones(count)
    return make(_post, _users(phones) if with_users else phones)


PEER_STARTS: dict[str, Prepare] = {
    "django-phone-verify": partial(_other, peers.phone_verify_starts, False),
    "django-allauth": partial(_other, peers.allauth_starts, True),
}
PEER_CHECKS: dict[str, Prepare] = {
    "django-phone-verify": partial(_other, peers.phone_verify_checks, False),
    "django-otp": partial(_other, peers.otp_checks, True),
}
CASES: dict[str, list[Case]] = {
    "callback": [
        Case(
            "callback",
            app=partial(_callbacks, _callback_path),
            floor=partial(_callbacks, lambda call: f"/floor/callback/{call.pk}/"),
            lean_floor=_lean_callbacks,
        )
    ],
    "start": [
        Case(
            title,
            app=partial(_starts, "/api/verifications/"),
            floor=partial(_starts, "/floor/start/"),
            lean_floor=partial(_starts, "/lean-floor/start/"),
            settings=settings,
            # Other packages have no limits to switch on.
            peers={} if settings else PEER_STARTS,
        )
        for title, settings in (("start", {}), ("start, all limits", {"LIMITS": ALL_LIMITS}))
    ],
    "check": [
        Case(
            title,
            app=partial(_checks, _check_path, is_right),
            floor=partial(_checks, lambda call: f"/floor/check/{call.verification_id}/", is_right),
            lean_floor=partial(_lean_checks, is_right),
            peers=PEER_CHECKS if is_right else {},
        )
        for title, is_right in (("check, right", True), ("check, wrong", False))
    ],
    "login": [
        Case(
            "login",
            app=partial(_logins, "/api/login/"),
            floor=partial(_logins, "/floor/login/"),
            lean_floor=_lean_logins,
            peers={"django-allauth": partial(_other, peers.allauth_logins, True)},
        )
    ],
}
