"""User models with a phone number, in different formats."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
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
