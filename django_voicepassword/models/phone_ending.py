"""The column by which the last digits of a number are searched for."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Concat, Left, Right


def ending_field() -> models.GeneratedField:
    """Return a field with the last four digits of the field ``phone`` in reverse order.

    People remember the end of a number; reversed, it is a prefix, which an index can search for.
    """
    return models.GeneratedField(
        expression=Concat(
            Right("phone", 1),
            Left(Right("phone", 2), 1),
            Left(Right("phone", 3), 1),
            Left(Right("phone", 4), 1),
        ),
        output_field=models.CharField(max_length=4),
        db_persist=True,
    )
