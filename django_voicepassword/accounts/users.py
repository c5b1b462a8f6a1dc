"""The user of a number: by VerifiedPhone, or by the user model's field USER_PHONE_FIELD."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import IntegrityError, models, router, transaction
from django.utils import timezone

from django_voicepassword import limits, phones
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import InvalidPhone, Refused
from django_voicepassword.models import VerifiedPhone

logger = logging.getLogger(__name__)


def find(phone: str) -> Any:
    """The user of a number (E.164 digits), active or not; None where there is none.

    An inactive stand-in where several users have the number.
    """
    field = settings.USER_PHONE_FIELD
    if field is None:
        try:
            return VerifiedPhone.objects.select_related("user").get(phone=phone).user
        except VerifiedPhone.DoesNotExist:
            return None
    _phone_field()
    users = list(
        get_user_model()._default_manager.filter(**{f"{field}__in": [f"+{phone}", phone]})[:2]
    )
    if len(users) > 1:
        # Only one of them holds the phone: a guess would open the account of another.
        logger.error(
            "several users have the number of a phone login: make the field unique; "
            "nobody is logged in"
        )
        return _Ambiguous()
    return users[0] if users else None


def create(phone: str, make_user: Callable[[str], Any]) -> Any:
    """Make the user of a new number; None where CREATE_USERS is off.

    Two requests at once make one user.
    """
    if not settings.CREATE_USERS:
        return None
    try:
        with transaction.atomic(using=router.db_for_write(VerifiedPhone)):
            # A project's field need not be unique, so a lock keeps two first logins from making
            # two users.
            limits.lock(f"user:{phone}")
            user = find(phone)
            if user is None:
                user = make_user(phone)
                if user is not None:
                    _attach(user, phone)
            return user
    except IntegrityError:
        found = find(phone)
        if found is None:
            raise
        return found


def assign(user: Any, phone: str) -> None:
    """Make ``user`` the only user of the number."""
    with transaction.atomic(using=router.db_for_write(VerifiedPhone)):
        limits.lock(f"user:{phone}")
        _attach(user, phone)


def _attach(user: Any, phone: str) -> None:
    """Store whose the number is; the caller holds the lock of the number."""
    field = settings.USER_PHONE_FIELD
    if field is None:
        now = timezone.now()
        if not VerifiedPhone.objects.filter(phone=phone).update(user=user, verified_at=now):
            VerifiedPhone.objects.create(phone=phone, user=user, verified_at=now)
        return
    written = _spelling(phone)
    if getattr(user, field) != written:
        setattr(user, field, written)
        user.save(update_fields=[field])


def take(user: Any, phone: str, holder: Any) -> None:
    """Assign a number that ``user`` has just verified; ``holder`` is its user so far, or None.

    Raises Refused where the user model's field gives the number to another user: only the project
    may change that.
    """
    if settings.USER_PHONE_FIELD is not None and holder is not None:
        raise Refused("the number belongs to another user")
    assign(user, phone)


def phones_of(user: Any) -> list[str]:
    """The numbers of a user (E.164 digits), the latest verified first."""
    field = settings.USER_PHONE_FIELD
    if field is None:
        return list(
            VerifiedPhone.objects.filter(user=user)
            .order_by("-verified_at")
            .values_list("phone", flat=True)
        )
    try:
        return [phones.normalize(getattr(user, field) or "")]
    except InvalidPhone:
        return []


def has_verified(user: Any) -> bool:
    """Did the user ever verify a number? A field of the user model does not say so."""
    return settings.USER_PHONE_FIELD is None and VerifiedPhone.objects.filter(user=user).exists()


def make(phone: str) -> Any:
    """A new user without a password, whose name does not contain the number."""
    model = get_user_model()
    values: dict[str, Any] = {}
    if settings.USER_PHONE_FIELD is not None:
        values[settings.USER_PHONE_FIELD] = _spelling(phone)
    if settings.USER_PHONE_FIELD != model.USERNAME_FIELD:
        name_field = model._meta.get_field(model.USERNAME_FIELD)
        if isinstance(name_field, models.EmailField) or not isinstance(
            name_field, models.CharField
        ):
            raise ImproperlyConfigured(
                f"users of this project are named by {model.USERNAME_FIELD!r}, which a phone login "
                "does not know: override PhoneBackend.create_user"
            )
        values[model.USERNAME_FIELD] = f"user_{secrets.token_hex(6)}"
    user = model(**values)
    user.set_unusable_password()
    user.save()
    return user


class _Ambiguous:
    """Stands for several users of one number: nobody can log in as one of them."""

    is_active = False


def _phone_field() -> Any:
    try:
        return get_user_model()._meta.get_field(settings.USER_PHONE_FIELD)
    except FieldDoesNotExist:
        raise ImproperlyConfigured(
            'VOICEPASSWORD["USER_PHONE_FIELD"]: the user model has no field '
            f"{settings.USER_PHONE_FIELD!r}"
        ) from None


def _spelling(phone: str) -> str:
    """The number as the project stores it: with a plus where other users have one, or where the
    field needs it.
    """
    field = _phone_field()
    if hasattr(field, "region"):
        # A PhoneNumberField reads digits without a plus as a national number.
        return f"+{phone}"
    manager = get_user_model()._default_manager
    with_plus = manager.filter(**{f"{field.name}__startswith": "+"}).exists()
    return f"+{phone}" if with_plus else phone
