"""What protects against a crowd: refused attempts, and the trips of the guard."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models.phone_ending import ending_field
from django_voicepassword.models.primary import PrimaryManager
from django_voicepassword.security import masking


class RefusedAttempt(models.Model):
    """The sends to one number, asked for from one address, that were refused for one reason.

    Support reads them; the rules that fill and bound the table are in ``limits.refusals``.
    """

    phone = models.CharField(_("phone"), max_length=15)
    phone_ending = ending_field()
    #: The client's address as ``client_ip.counted_address`` returns it; empty without a request.
    address = models.CharField(_("client address"), max_length=39, blank=True, default="")
    #: The name of the limit that refused, or the stable word of another error.
    reason = models.CharField(_("reason"), max_length=32)
    count = models.PositiveIntegerField(_("attempts"), default=1)
    first_at = models.DateTimeField(_("first"), default=timezone.now)
    last_at = models.DateTimeField(_("last"), default=timezone.now)

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("refused attempt")
        verbose_name_plural = _("refused attempts")
        ordering = ["-last_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["phone", "address", "reason"], name="voicepassword_refused_attempt"
            ),
            models.CheckConstraint(condition=~Q(phone=""), name="voicepassword_refused_phone"),
        ]
        indexes = [
            models.Index(fields=["last_at", "id"], name="voicepassword_refused_last"),
            models.Index(fields=["address", "last_at"], name="voicepassword_refused_address"),
            models.Index(fields=["phone_ending", "last_at"], name="voicepassword_refused_ending"),
        ]

    def __str__(self) -> str:
        return f"{masking.mask(self.phone)}, {self.reason}"

    def __repr__(self) -> str:
        return f"<RefusedAttempt {self.pk} {self.reason}>"

    @property
    def masked_phone(self) -> str:
        return masking.mask(self.phone)


class FraudTrip(models.Model):
    """A time in which the guard suspects an attack. The rules are in ``limits.guard``."""

    class Kind(models.TextChoices):
        BLOCK = "block", _("block of numbers")
        PREFIX = "prefix", _("operator prefix")
        NETWORK = "network", _("network")
        SITE = "site", _("whole site")

    class Cause(models.TextChoices):
        SENDS = "sends", _("sends without a right code")
        GUESSES = "guesses", _("wrong guesses")

    class Mode(models.TextChoices):
        AUDIT = "audit", _("audit")
        ENFORCE = "enforce", _("enforce")

    class End(models.TextChoices):
        CALM = "calm", _("calm for an hour")
        CONVERSION = "conversion", _("usual conversion again")
        STAFF = "staff", _("lifted by staff")

    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    #: Of a block the number without its last four digits, of a prefix the digits of the operator,
    #: of a network its address with the prefix length, of the site "".
    subject = models.CharField(_("subject"), max_length=43, blank=True, default="")
    cause = models.CharField(_("cause"), max_length=7, choices=Cause.choices)
    #: FRAUD_GUARD when it tripped.
    mode = models.CharField(_("mode"), max_length=7, choices=Mode.choices)
    #: ``kind:cause:subject`` while it lasts, so that there is one at a time; None afterwards.
    active_key = models.CharField(  # noqa: DJ001
        max_length=64, null=True, blank=True, editable=False
    )
    #: The figures that tripped it: failures in an hour and their threshold, the share of approved
    #: sends (0 to 1) and the usual share.
    failures = models.PositiveIntegerField(_("failures"))
    threshold = models.PositiveIntegerField(_("threshold"))
    conversion = models.FloatField(_("conversion"), null=True, blank=True)
    usual = models.FloatField(_("usual conversion"), null=True, blank=True)
    tripped_at = models.DateTimeField(_("tripped"), default=timezone.now)
    #: Since when its failures have stayed under the threshold; None while they have not.
    quiet_since = models.DateTimeField(_("quiet since"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end = models.CharField(_("end"), max_length=10, choices=End.choices, blank=True, default="")

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("trip of the guard")
        verbose_name_plural = _("trips of the guard")
        ordering = ["-tripped_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["active_key"], name="voicepassword_trip_active"),
        ]
        indexes = [
            models.Index(fields=["tripped_at", "id"], name="voicepassword_trip_tripped"),
            models.Index(fields=["ended_at"], name="voicepassword_trip_ended"),
        ]
        permissions = [("lift_fraudtrip", _("Can lift a trip of the guard"))]

    def __str__(self) -> str:
        # A block and the end of a masked number together would tell all but two digits of it.
        subject = f"{self.subject[:4]}…" if self.kind == self.Kind.BLOCK else self.subject
        return f"{self.get_kind_display()} {subject}".strip()

    @property
    def is_open(self) -> bool:
        return self.active_key is not None


class Protection(FraudTrip):
    """A proxy that is registered with the admin only to appear in its index and menus.

    Its page shows what the guard counts, and its trips.
    """

    class Meta:
        proxy = True
        # Whoever may see the trips may see the page.
        default_permissions = ()
        verbose_name = _("protection")
        verbose_name_plural = _("protection")

    def __str__(self) -> str:
        return super().__str__()
