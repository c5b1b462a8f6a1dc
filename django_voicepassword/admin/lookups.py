"""The query parameters by which a list may be filtered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.widgets import url_params_from_lookup_dict
from django.db.models import DateField, ForeignKey, Model
from django.http import HttpRequest


class AllowedLookups(admin.ModelAdmin):
    """Refuses each query parameter that no filter of the sidebar uses.

    Django allows all lookups of the model's own fields. With ``phone__startswith`` or
    ``verification__gt``, a reader could learn a masked number or a secret one character at a time,
    and ``phone__regex`` reads the whole table. ``list_filter`` of a subclass is allowed.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        filters = self.list_filter if request is None else self.get_list_filter(request)
        allowed = {name for item in filters for name in _parameters(item, self.model)}
        if self.date_hierarchy:
            parts = ("year", "month", "day", "gte", "lt")
            allowed |= {f"{self.date_hierarchy}__{part}" for part in parts}
        return lookup in allowed or self._is_limit_of_a_foreign_key(lookup, value)

    def _is_limit_of_a_foreign_key(self, lookup: str, value: str) -> bool:
        """Whether a foreign key of the project limits its choices so: its popup sends the limit."""
        limits = (
            limit() if callable(limit) else limit for limit in self.model._meta.related_fkey_lookups
        )
        return any(
            (lookup, value) in url_params_from_lookup_dict(limit).items() for limit in limits
        )


def _parameters(item: Any, model: type[Model]) -> Iterator[str]:
    """Yield the query parameters of an item of ``list_filter``."""
    if isinstance(item, type):
        yield from filter(None, [getattr(item, "parameter_name", None)])
        return
    path = item if isinstance(item, str) else item[0]
    field = get_fields_from_path(model, path)[-1]
    lookups = ["exact", "in", "isnull"]
    if isinstance(field, DateField):
        lookups += ["gte", "lt"]
    if isinstance(field, ForeignKey):
        lookups.append(f"{field.target_field.name}__exact")
    yield path
    for lookup in lookups:
        yield f"{path}__{lookup}"
