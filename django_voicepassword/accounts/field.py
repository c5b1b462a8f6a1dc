"""USER_PHONE_FIELD: the field of the user model that holds the number of a user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models, router

from django_voicepassword.conf import settings
from django_voicepassword.exceptions import LastPhone


def written(phone: str, users: Any = None) -> Any:
    """The users, by default all visible ones, whose field USER_PHONE_FIELD holds the number."""
    users = visible_users() if users is None else users
    return users.filter(**{f"{phone_field().name}__in": [f"+{phone}", phone]})


def visible_users() -> Any:
    """The visible users, read where they are written: a replica may not have a new one yet."""
    return get_user_model()._default_manager.using(database())


def shows_everybody() -> bool:
    """Does the default manager of the user model show every user, as Django's own does?

    One of the project may hide some, and others in the next request.
    """
    manager: Any = get_user_model()._default_manager
    kind, plain = type(manager), models.Manager
    is_plain = kind.get_queryset is plain.get_queryset and kind.using is plain.using
    return is_plain and manager._queryset_class is models.QuerySet


def database() -> str:
    return router.db_for_write(get_user_model())


def all_users() -> Any:
    """All users, also those whom a manager of the project hides."""
    return models.QuerySet(get_user_model(), using=database())


def clear(user: Any) -> None:
    """Empty USER_PHONE_FIELD of a user. Raises LastPhone where it cannot be empty."""
    if not may_be_without_phone():
        raise LastPhone("the field of the user model cannot be empty")
    field = phone_field()
    setattr(user, field.name, None if field.null else "")
    user.save(update_fields=[field.name])


def may_be_without_phone() -> bool:
    """Can USER_PHONE_FIELD be empty, for more than one user?"""
    field = phone_field()
    return bool(field.null or not field.unique)


def phone_field() -> Any:
    """The field USER_PHONE_FIELD of the user model. Raises ImproperlyConfigured."""
    try:
        return get_user_model()._meta.get_field(settings.USER_PHONE_FIELD)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            'VOICEPASSWORD["USER_PHONE_FIELD"]: the user model has no field '
            f"{settings.USER_PHONE_FIELD!r}"
        ) from None


def spelling(phone: str) -> str:
    """The number as the project stores it: with a plus where other users have one, or where the
    field needs it.
    """
    field = phone_field()
    if hasattr(field, "region"):
        # A PhoneNumberField reads digits without a plus as a national number.
        return f"+{phone}"
    with_plus = visible_users().filter(**{f"{field.name}__startswith": "+"}).exists()
    return f"+{phone}" if with_plus else phone
