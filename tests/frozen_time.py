"""freezegun, without its look at every name of every module each time that it starts.

It builds the set of names of each of some 3,000 modules only to see whether it knows them already:
30 ms for each frozen moment, and the tests freeze thousands. How many names a module has says the
same, except of a module that lost as many names as it got.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from freezegun import api

_known: dict[str, tuple[ModuleType, int, list[tuple[str, Any]]]] = {}
_look = api._get_cached_module_attributes


def _attributes(module: ModuleType) -> list[tuple[str, Any]]:
    """The names of a module that freezegun replaces, with their values."""
    names = len(vars(module))
    seen, count, attributes = _known.get(module.__name__, (None, 0, []))
    if seen is not module or count != names:
        attributes = _look(module)
        # A module may get names while it is looked at.
        _known[module.__name__] = (module, len(vars(module)), attributes)
    return attributes


def install() -> None:
    api._get_cached_module_attributes = _attributes
