"""The controls of the sandbox, by which tests change its state: POST requests to ``/control/``."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeGuard

from django_voicepassword.sandbox.simulator import Exchange

_MAX_ROWS = 10_000_000
#: The keys of a row of the statistics.
_ROW = ["id", "number", "date", "duration", "price", "service", "state"]


class UnknownControl(Exception):
    """There is no control of this name."""


class BadControl(Exception):
    """The body of the request is wrong; the message shows a right one."""


def run(name: str, exchange: Exchange, body: object) -> None:
    """Run a control. Raises UnknownControl or BadControl."""
    if name not in _CONTROLS:
        raise UnknownControl
    _CONTROLS[name](exchange, body)


def _generate(exchange: Exchange, body: object) -> None:
    date, rows = (body.get("date"), body.get("rows")) if isinstance(body, dict) else (None, None)
    if not isinstance(date, str) or len(date) != 10 or not _is_count(rows):
        raise BadControl('send {"date": "10.03.2026", "rows": 1000000}')
    exchange.generated[date] = rows


def _is_count(value: object) -> TypeGuard[int]:
    # True is an int, too.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_ROWS


def _set_balance(exchange: Exchange, body: object) -> None:
    balance = _balance(body)
    if balance is None:
        raise BadControl('send {"balance": "10.00"}')
    exchange.balance = balance


def _balance(body: object) -> Decimal | None:
    try:
        balance = Decimal(str(body.get("balance")) if isinstance(body, dict) else "")
    except InvalidOperation:
        return None
    return balance if balance.is_finite() else None


def _restore(exchange: Exchange, body: object) -> None:
    balance = _balance(body)
    rows = body.get("rows") if isinstance(body, dict) else None
    if balance is None or not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise BadControl(f'send {{"balance": "10.00", "rows": [{{{", ".join(_ROW)}}}, …]}}')
    exchange.restore(balance, rows)


def _is_row(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == set(_ROW)
        and all(isinstance(text, str) for text in value.values())
    )


_CONTROLS: dict[str, Callable[[Exchange, object], None]] = {
    "reset": lambda exchange, body: exchange.reset(),
    "hold": lambda exchange, body: exchange.answers_flow.clear(),
    "release": lambda exchange, body: exchange.answers_flow.set(),
    "generate": _generate,
    "age": lambda exchange, body: exchange.age(days=1),
    "balance": _set_balance,
    "restore": _restore,
}
