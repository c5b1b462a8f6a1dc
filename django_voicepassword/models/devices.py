"""TrustedDevice: a device on which a number was proved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.primary import PrimaryManager
from django_voicepassword.models.verified_phones import VerifiedPhone
from django_voicepassword.security import masking
from django_voicepassword.security.trusted_devices import LIFETIME


class TrustedDevice(models.Model):
    """One number of one device. Rows with the same ``token_hash`` are the same device.

    The device holds the token. ``user`` is None until somebody has logged in on the device with
    this number.
    """

    #: The most devices of one number, and the most numbers of one device.
    MOST_DEVICES = 5
    MOST_PHONES = 5

    phone = models.CharField(_("phone"), max_length=15)
    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="trusted_devices",
    )
    token_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), default=timezone.now)

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("trusted device")
        verbose_name_plural = _("trusted devices")
        ordering = ["-last_used_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["token_hash", "phone"], name="voicepassword_device_token_phone"
            ),
            models.CheckConstraint(condition=~Q(phone=""), name="voicepassword_device_phone"),
        ]
        indexes = [
            models.Index(fields=["phone"], name="voicepassword_device_of_phone"),
            models.Index(fields=["last_used_at"], name="voicepassword_device_used"),
        ]

    def __str__(self) -> str:
        return masking.mask(self.phone)

    def __repr__(self) -> str:
        return f"<TrustedDevice {self.pk}>"

    @classmethod
    def trusted(cls, now: datetime) -> models.QuerySet[TrustedDevice]:
        """The devices that are trusted at ``now``, even if outdated rows were not deleted yet."""
        holder = VerifiedPhone.objects.filter(phone=OuterRef("phone"), user=OuterRef("user"))
        return cls.objects.filter(
            Q(user__isnull=True) | Exists(holder), last_used_at__gt=now - LIFETIME
        )

    def is_live(self, now: datetime) -> bool:
        """Whether it was used within LIFETIME."""
        return self.last_used_at > now - LIFETIME

    @classmethod
    def expired(cls, now: datetime) -> models.QuerySet[TrustedDevice]:
        """The devices on which nobody proved the number for longer than LIFETIME."""
        return cls.objects.filter(last_used_at__lte=now - LIFETIME)

    @classmethod
    def forget_number(cls, phone: str) -> None:
        """Delete the devices of a number that changes hands."""
        cls.objects.filter(phone=phone).delete()


@receiver(post_delete, sender=VerifiedPhone)
def forget_devices(instance: VerifiedPhone, **kwargs: Any) -> None:
    """A number that is nobody's any more has no devices either."""
    TrustedDevice.forget_number(instance.phone)
