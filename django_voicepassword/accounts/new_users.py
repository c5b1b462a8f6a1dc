"""The user of a first login: how the app makes one, and what keeps it from making one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from django_voicepassword.accounts.field import phone_field, spelling
from django_voicepassword.conf import settings
from django_voicepassword.security import masking

_PREFIX, _RANDOM_BYTES = "user_", 6
#: How long a name is that ``make`` invents, and a number with its plus (E.164).
NAME_LENGTH, PHONE_LENGTH = len(_PREFIX) + 2 * _RANDOM_BYTES, 12


def make(phone: str) -> Any:
    """A new user without a password, whose name does not contain the number.

    Raises ImproperlyConfigured where the app cannot invent a name, and what ``save()`` raises.
    """
    model = get_user_model()
    reason = next(_obstacles_of_name(model), None)
    if reason is not None:
        raise ImproperlyConfigured(reason)
    values: dict[str, Any] = {}
    if settings.USER_PHONE_FIELD is not None:
        values[settings.USER_PHONE_FIELD] = spelling(phone)
    if settings.USER_PHONE_FIELD != model.USERNAME_FIELD:
        values[model.USERNAME_FIELD] = _invent_name()
    user = model(**values)
    user.set_unusable_password()
    user.save()
    return user


def _invent_name() -> str:
    """Return a random name. Without ten digits in a row: the staff would see these masked."""
    while True:
        name = f"{_PREFIX}{secrets.token_hex(_RANDOM_BYTES)}"
        if not masking.has_number(name):
            return name


def obstacles() -> Iterator[str]:
    """What keeps ``make`` from making users of this project, one reason after the other.

    Asked by the system checks. A model that has a ``save()`` of its own, or receivers of
    ``pre_save``, may fill in what is missing, so its fields are not judged.
    """
    model = get_user_model()
    yield from _obstacles_of_name(model)
    if settings.USER_PHONE_FIELD is not None and _is_short(phone_field(), PHONE_LENGTH):
        yield f'the field "{settings.USER_PHONE_FIELD}" is too short for a phone number'
    if model.save not in (models.Model.save, AbstractBaseUser.save):
        return
    if models.signals.pre_save.has_listeners(model):
        return
    given = {settings.USER_PHONE_FIELD, model.USERNAME_FIELD, "password"}
    others = [field for field in model._meta.concrete_fields if field.name not in given]
    for field in others:
        if _needs_value(field):
            yield f'the field "{field.name}" needs a value, which a phone login does not know'
    equal = {field.name for field in others if _is_equal_for_all(field)}
    for names in _unique_together(model):
        if names and names <= equal:
            fields = " and ".join(f'"{name}"' for name in sorted(names))
            yield f"only one user can be without a value for {fields}"


def _obstacles_of_name(model: Any) -> Iterator[str]:
    if settings.USER_PHONE_FIELD == model.USERNAME_FIELD:
        return
    field = model._meta.get_field(model.USERNAME_FIELD)
    if isinstance(field, models.EmailField) or not isinstance(field, models.CharField):
        yield f'users are named by "{field.name}", which is no plain text'
    elif _is_short(field, NAME_LENGTH):
        yield f'the field "{field.name}" is too short for a name of {NAME_LENGTH} characters'


def _is_short(field: Any, length: int) -> bool:
    most = getattr(field, "max_length", None)
    return most is not None and most < length


def _needs_value(field: Any) -> bool:
    """Can a row not be saved, or not more than one, if nobody sets this field?"""
    if field.primary_key or _sets_itself(field):
        return False
    # Without a default, this is what Django saves: None, or the empty text.
    default = field.get_default()
    if default is None:
        return not field.null
    return bool(field.unique)


def _is_equal_for_all(field: Any) -> bool:
    """Do all users whom ``make`` makes have the same value in this field? NULL equals nothing."""
    return not field.primary_key and not _sets_itself(field) and field.get_default() is not None


def _unique_together(model: Any) -> Iterator[set[str]]:
    """The names of the fields that each constraint of the model's ``Meta`` requires to be unique.

    Constraints with a condition are left out: a condition usually excludes the empty value.
    """
    yield from map(set, model._meta.unique_together)
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.condition is None:
            parts = [part for each in constraint.expressions for part in _parts(each)]
            yield {*constraint.fields, *(part.name for part in parts if isinstance(part, models.F))}  # type: ignore[attr-defined]


def _parts(expression: Any) -> list[Any]:
    """An expression and all that it consists of. An F is one part."""
    return list(expression.flatten()) if hasattr(expression, "flatten") else [expression]


def _sets_itself(field: Any) -> bool:
    """Does a new row have a value of its own, such as the time or a random text?"""
    return bool(
        (field.has_default() and callable(field.default))
        or getattr(field, "auto_now", False)
        or getattr(field, "auto_now_add", False)
        or getattr(field, "generated", False)
        or getattr(field, "db_default", models.NOT_PROVIDED) is not models.NOT_PROVIDED
        # A field of a package, such as a slug that is made of the name.
        or not type(field).pre_save.__module__.startswith("django.db.models")
    )
