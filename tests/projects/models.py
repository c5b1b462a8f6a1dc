"""User models with a phone number, in different formats."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from phonenumber_field.modelfields import PhoneNumberField


class Manager(BaseUserManager["models.Model"]):
    def create_user(self, phone: str, **values: Any) -> Any:
        user: Any = self.model(phone=phone, **values)
        user.set_unusable_password()
        user.save()
        return user


class FieldUser(AbstractBaseUser):
    """USERNAME_FIELD is a field of django-phonenumber-field."""

    phone = PhoneNumberField(unique=True)
    is_active = models.BooleanField(default=True)
    USERNAME_FIELD = "phone"
    objects = Manager()


class PlusUser(AbstractBaseUser):
    """USERNAME_FIELD is an e-mail address; the phone is E.164 with a plus in a CharField."""

    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=16, unique=True, null=True)  # noqa: DJ001  (unique, and not everybody has one)
    is_active = models.BooleanField(default=True)
    USERNAME_FIELD = "email"
    objects = Manager()


class VisibleUsers(Manager):
    """Hides what was deleted, as packages for soft deletion do."""

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(is_deleted=False)


class NamedUser(AbstractBaseUser):
    """The usual fields, and a number."""

    username = models.CharField(max_length=40, unique=True)
    phone = models.CharField(max_length=16, unique=True, null=True)  # noqa: DJ001  (unique, and not everybody has one)
    is_active = models.BooleanField(default=True)
    USERNAME_FIELD = "username"

    class Meta:
        abstract = True


class SoftUser(NamedUser):
    """A deleted user stays in the table, and the default manager hides it."""

    is_deleted = models.BooleanField(default=False)
    objects = VisibleUsers()


class HiddenUser(NamedUser):
    """Even the base manager hides a deleted user."""

    is_deleted = models.BooleanField(default=False)
    objects = VisibleUsers()

    class Meta:
        base_manager_name = "objects"


class BornUser(NamedUser):
    """A user has a date of birth, which a phone login does not know."""

    born = models.DateField()
    objects = Manager()


class MailedUser(NamedUser):
    """An e-mail address is unique and empty by default, so there can be one user without it."""

    email = models.EmailField(unique=True, default="")
    objects = Manager()


class FoldedUser(NamedUser):
    """An e-mail address is unique whatever its case, and empty where nobody sets it."""

    email = models.EmailField(blank=True)
    objects = Manager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="folded_email")]


class PairUser(NamedUser):
    """First and last name together are unique."""

    first = models.CharField(max_length=40)
    last = models.CharField(max_length=40)
    objects = Manager()

    class Meta:
        unique_together = [("first", "last")]


class ShortUser(NamedUser):
    """A name of ten characters at most, and room for ten digits."""

    username = models.CharField(max_length=10, unique=True)
    phone = models.CharField(max_length=10, unique=True, null=True)  # noqa: DJ001  (unique, and not everybody has one)
    objects = Manager()


class FullUser(NamedUser):
    """More fields, each of which has a value without a phone login."""

    email = models.EmailField(blank=True)
    full_name = models.CharField(max_length=100)
    born = models.DateField(null=True)
    number = models.UUIDField(unique=True, default=uuid.uuid4)
    made_at = models.DateTimeField(auto_now_add=True)
    objects = Manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["email"], condition=~models.Q(email=""), name="full_email"
            ),
            models.UniqueConstraint(fields=["full_name", "number"], name="full_name_number"),
            models.UniqueConstraint(fields=["full_name", "born"], name="full_name_born"),
        ]
