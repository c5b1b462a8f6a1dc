"""A model without a table, so that the page of a customer appears in the admin's index."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.verified_phones import VerifiedPhone


class Person(VerifiedPhone):
    """A proxy that is registered with the admin only to appear in its index and menus."""

    class Meta:
        proxy = True
        # Whoever may see the calls may see the page.
        default_permissions = ()
        verbose_name = _("customer")
        verbose_name_plural = _("find a customer")

    def __str__(self) -> str:
        return super().__str__()
