"""Invented statistics of a day, of any length.

They are generated while they are sent, in constant memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

_STATES = ["Успешно", "Занято", "Нет ответа", "Отменен", "Ошибка"]
_SERVICES = ["Voice Password", "Flash Call", "Flash Call"]
_BLOCK = 1000


def row(date: str, index: int) -> dict[str, str]:
    """The invented row with this index on a ``date`` (dd.mm.yyyy). It is always the same."""
    second = index % 86400
    return {
        "id": str(10_000_000 + index),
        "number": f"7999{index % 10_000_000:07}",
        "date": f"{date} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}",
        "duration": f"00:{index % 20:02}",
        "price": "0.35",
        "service": _SERVICES[index % 3],
        "state": _STATES[index % 5],
    }


def answer(date: str, count: int, rows: Sequence[dict[str, str]]) -> Iterator[bytes]:
    """The answer to ``daily``: ``rows``, then ``count`` invented ones."""
    yield f'{{"result": "ok", "rows": "{count + len(rows)}", "data": ['.encode()
    comma = ""
    for block in _blocks(date, count, rows):
        yield f"{comma}{','.join(block)}".encode()
        comma = ","
    yield b"]}"


def _blocks(date: str, count: int, rows: Sequence[dict[str, str]]) -> Iterator[list[str]]:
    if rows:
        yield [json.dumps(called, ensure_ascii=False) for called in rows]
    for start in range(0, count, _BLOCK):
        indexes = range(start, min(start + _BLOCK, count))
        yield [json.dumps(row(date, index), ensure_ascii=False) for index in indexes]
