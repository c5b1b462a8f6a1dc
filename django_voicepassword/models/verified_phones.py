"""VerifiedPhone: a number, and the user who was the last to prove it."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.phone_ending import ending_field
from django_voicepassword.models.primary import PrimaryManager
from django_voicepassword.security import masking


class VerifiedPhone(models.Model):
    """A number, and the user who was the last to prove it.

    A number has one user; a user may have several numbers.
    """

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.CASCADE,
        related_name="verified_phones",
    )
    phone = models.CharField(_("phone"), max_length=15)
    phone_ending = ending_field()
    verified_at = models.DateTimeField(_("verified"), default=timezone.now)

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("verified phone")
        verbose_name_plural = _("verified phones")
        ordering = ["-verified_at"]
        constraints = [
            # Not unique=True: on PostgreSQL that would add a second index, for LIKE.
            models.UniqueConstraint(fields=["phone"], name="voicepassword_verifiedphone_phone"),
            # A login would not find a number that is written with a plus sign.
            models.CheckConstraint(
                condition=~Q(phone="") & ~Q(phone__startswith="+"),
                name="voicepassword_verifiedphone_digits",
            ),
        ]
        indexes = [
            models.Index(fields=["verified_at"], name="voicepassword_vp_verified"),
            models.Index(fields=["phone_ending"], name="voicepassword_vp_ending"),
        ]
        permissions = [
            ("release_phone", _("Can release a phone number")),
            ("export_person", _("Can export all data of a person")),
            ("erase_person", _("Can erase all data of a person")),
        ]

    def __str__(self) -> str:
        return masking.mask(self.phone)

    def __repr__(self) -> str:
        return f"<VerifiedPhone {self.pk}>"

    @property
    def masked_phone(self) -> str:
        return masking.mask(self.phone)
