"""Users that are known by their phone, each in its own spelling."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from phonenumber_field.modelfields import PhoneNumberField


class Manager(BaseUserManager["models.Model"]):
    def create_user(self, phone: str, **values: Any) -> Any:
        user = self.model(phone=phone, **values)
        user.set_unusable_password()
        user.save()
        return user


class FieldUser(AbstractBaseUser):
    """A field of django-phonenumber-field is the name of the user."""

    phone = PhoneNumberField(unique=True)
    is_active = models.BooleanField(default=True)
    USERNAME_FIELD = "phone"
    objects = Manager()


class PlusUser(AbstractBaseUser):
    """E.164 with a plus, beside an e-mail address that names the user."""

    email = models.EmailField(unique=True)
    phone = models.CharField(max_length=16, unique=True, null=True)  # noqa: DJ001  (unique, and not everybody has one)
    is_active = models.BooleanField(default=True)
    USERNAME_FIELD = "email"
    objects = Manager()
