"""Rows are read where they are written: a replica may be a moment behind, and these rows decide."""

from __future__ import annotations

from typing import TypeVar

from django.db import models, router

Row = TypeVar("Row", bound=models.Model)


class PrimaryManager(models.Manager[Row]):
    """Reads from the database that the project's router names for writing.

    A replica that has not seen the last write would make a right code wrong, or a queued call
    unknown to its worker. ``using("…")`` still chooses any other database. The models name it as
    their base manager too, so that relations and ``refresh_from_db()`` read there as well.
    """

    def get_queryset(self) -> models.QuerySet[Row]:
        rows = super().get_queryset()
        if self._db is not None:
            return rows
        hints = getattr(self, "_hints", {})
        return rows.using(router.db_for_write(self.model, **hints))
