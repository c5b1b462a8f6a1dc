"""The UPDATEs that move a call request from state to state, each compiled once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.db import models
from django.db.models import Exists

from django_voicepassword.models.call_states import PROGRESS, Channel, State
from django_voicepassword.models.compiled import Update


def changes(values: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of new values: a condition may be about the same columns."""
    return {f"new_{name}": value for name, value in values.items()}


@lru_cache
def move(
    model: type[models.Model], old_states: frozenset[str], changed: tuple[str, ...]
) -> Update[models.Model]:
    """Return the UPDATE of the columns ``changed`` for a call that is in one of ``old_states``.

    ``model`` is CallRequest.
    """
    # Not state__in=old_states: with stale statistics PostgreSQL picks the state index and scans
    # every row in those states. Exclude the others instead, so that it uses the primary key.
    others = sorted(set(State) - old_states)

    def build(id: Any, **new: Any) -> tuple[models.QuerySet[Any], dict[str, Any]]:
        rows = model._default_manager.filter(id=id).exclude(state__in=others)
        return rows, {name: new[f"new_{name}"] for name in changed}

    return Update(model, build, id="id", **changes({name: name for name in changed}))


@lru_cache
def move_if_expected(
    model: type[models.Model],
    state: str,
    expected: tuple[str, ...],
    changed: tuple[str, ...],
    unless: Callable[[Any], Exists],
) -> Update[models.Model]:
    """Return the UPDATE of a call to ``state``: see ``CallRequest.move_if_expected``.

    ``expected`` are the columns of its condition, ``changed`` those that it writes.
    """
    earlier = [other for other, reached in PROGRESS.items() if reached < PROGRESS[state]]

    def build(**values: Any) -> tuple[models.QuerySet[Any], dict[str, Any]]:
        rows = model._default_manager.filter(
            **{name: values[name] for name in expected}, state__in=earlier, finished_at=None
        )
        others = rows.exclude(channel=Channel.SMS).filter(~unless(values["id"]))
        return others, {name: values[f"new_{name}"] for name in changed}

    fields = dict(zip(expected, expected, strict=True))
    return Update(model, build, **fields, **changes({name: name for name in changed}))
