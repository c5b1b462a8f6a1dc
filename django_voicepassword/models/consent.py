"""ConsentText: what people were shown before they asked for a call."""

from __future__ import annotations

from hashlib import sha256

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.primary import PrimaryManager


class ConsentText(models.Model):
    """A text that the login page showed beside the button that asks for a call, word for word.

    A verification refers to the text that was shown when it was started. Each text has one row.
    """

    digest = models.CharField(max_length=64, editable=False)
    text = models.TextField(_("text"))
    created_at = models.DateTimeField(_("first shown"), default=timezone.now, editable=False)

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("consent text")
        verbose_name_plural = _("consent texts")
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="voicepassword_consent_digest")
        ]

    def __str__(self) -> str:
        return self.text

    @staticmethod
    def digest_of(text: str) -> str:
        """Return the digest by which a form names the text that it shows."""
        return sha256(text.encode()).hexdigest()

    @classmethod
    def keep(cls, text: str) -> ConsentText:
        """Return the row of ``text``; make it where the text is new."""
        row, _is_new = cls.objects.get_or_create(
            digest=cls.digest_of(text), defaults={"text": text}
        )
        return row
