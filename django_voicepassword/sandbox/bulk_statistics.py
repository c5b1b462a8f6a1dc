"""A day of made-up statistics, as long as one likes: written while it is sent, so that it takes no
memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_STATES = ["Успешно", "Занято", "Нет ответа", "Отменен", "Ошибка"]
_SERVICES = ["Voice Password", "Flash Call", "Flash Call"]
_BLOCK = 1000


def row(date: str, number: int) -> dict[str, str]:
    """The row of this number on a ``date`` of the form dd.mm.yyyy; always the same."""
    second = number % 86400
    return {
        "id": str(10_000_000 + number),
        "number": f"7999{number % 10_000_000:07}",
        "date": f"{date} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}",
        "duration": f"00:{number % 20:02}",
        "price": "0.35",
        "service": _SERVICES[number % 3],
        "state": _STATES[number % 5],
    }


def answer(date: str, count: int, rows: list[dict[str, Any]]) -> Iterator[bytes]:
    """The reply to ``daily``: ``rows`` that really rang, and ``count`` made-up ones."""
    yield f'{{"result": "ok", "rows": "{count + len(rows)}", "data": ['.encode()
    comma = ""
    for one in rows:
        yield f"{comma}{json.dumps(one, ensure_ascii=False)}".encode()
        comma = ","
    for start in range(0, count, _BLOCK):
        block = [
            json.dumps(row(date, number), ensure_ascii=False)
            for number in range(start, min(start + _BLOCK, count))
        ]
        yield f"{comma}{','.join(block)}".encode()
        comma = ","
    yield b"]}"
