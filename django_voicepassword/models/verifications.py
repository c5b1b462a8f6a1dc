"""Verification: one attempt to prove a number. VerifiedPhone: a proved number and its user."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Case, F, Q, When
from django.db.models.expressions import Combinable
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.conf import settings
from django_voicepassword.models.compiled import Update
from django_voicepassword.models.consent import ConsentText
from django_voicepassword.models.moments import after, before
from django_voicepassword.models.primary import PrimaryManager
from django_voicepassword.security import masking


class Verification(models.Model):
    """One attempt to prove that a person holds a number.

    It has one code, a lifetime, a number of guesses and a number of sends. Only a typed code
    approves it.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        APPROVED = "approved", _("approved")
        EXPIRED = "expired", _("expired")
        MAX_ATTEMPTS = "max_attempts", _("no attempts left")
        CANCELED = "canceled", _("canceled")

    #: The guesses that a long code has at most.
    LONG_ATTEMPTS = 3

    #: A bearer secret: whoever knows it may guess. Only whoever started the verification gets it.
    id = models.UUIDField(_("id"), primary_key=True, default=uuid.uuid4, editable=False)
    phone = models.CharField(_("phone"), max_length=15)
    purpose = models.CharField(_("purpose"), max_length=32, default="login")
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.PENDING
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    #: Those of ``attempts`` that were made before the code became a long one, or a short one again.
    earlier_attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    sends = models.PositiveSmallIntegerField(_("sends"), default=0)
    #: How many digits its code has. A guess of another length is not compared.
    code_length = models.PositiveSmallIntegerField(default=4, editable=False)
    #: Whether only a long code approves it (LONG_CODE), because the guard asked for one.
    is_long = models.BooleanField(_("long code"), default=False, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    #: When it stopped being pending: approved, out of attempts, canceled or expired.
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    #: When its proof was used, of those that work once (``read_proof(once=True)``).
    redeemed_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: When the last send was counted. None after a send that turned out not to have rung: the next
    #: one may follow at once.
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="phone_verifications",
        # The index of user and created_at does its work.
        db_index=False,
    )
    ip = models.GenericIPAddressField(_("client address"), null=True, blank=True)
    #: What the page showed when the person asked for the first call; None where it showed nothing.
    consent = models.ForeignKey(
        ConsentText,
        verbose_name=_("consent text"),
        null=True,
        blank=True,
        editable=False,
        # No list is made by it, and each start would have to write the index.
        db_index=False,
        on_delete=models.PROTECT,
        related_name="+",
    )

    #: Digest of the Idempotency-Key of the request that started it; None without a key.
    #: Not an empty text: only None may be there twice.
    idempotency_digest = models.CharField(  # noqa: DJ001
        max_length=64, null=True, blank=True, editable=False
    )

    #: What the first answer said, where a function returns it to a request that is repeated.
    first_answer: dict[str, Any] | None = None
    #: Its calls, oldest first, if a function has just read or written them: describing the
    #: verification then needs no further query.
    known_calls: list[Any] | None = None

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status__in=["pending", "approved", "expired", "max_attempts", "canceled"]
                ),
                name="voicepassword_verification_status",
            ),
            models.CheckConstraint(condition=~Q(phone=""), name="voicepassword_verification_phone"),
            models.UniqueConstraint(
                fields=["idempotency_digest"], name="voicepassword_verification_key"
            ),
            models.CheckConstraint(
                condition=Q(status="approved", approved_at__isnull=False)
                | (~Q(status="approved") & Q(approved_at__isnull=True)),
                name="voicepassword_verification_approved_at",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")),
                name="voicepassword_verification_lifetime",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="voicepassword_ver_created"),
            models.Index(fields=["phone", "created_at"], name="voicepassword_ver_phone"),
            models.Index(fields=["ip", "created_at"], name="voicepassword_ver_ip"),
            models.Index(fields=["user", "created_at"], name="voicepassword_ver_user"),
            # expire_old uses it too, to find the pending ones every few seconds.
            models.Index(fields=["status", "created_at"], name="voicepassword_ver_status"),
        ]
        permissions = [("cancel_verification", _("Can cancel a verification"))]

    def __str__(self) -> str:
        return f"{masking.mask(self.phone)}, {self.get_status_display()}"

    def __repr__(self) -> str:
        # The id is a bearer secret. Its first characters are enough to find the row in the admin.
        return f"<Verification {str(self.id)[:8]} {self.status}>"

    @property
    def masked_phone(self) -> str:
        return masking.mask(self.phone)

    @property
    def is_masked(self) -> bool:
        """Whether RETENTION "mask" has removed the end of the number, or an erasure all of it."""
        return masking.is_removed(self.phone)

    @property
    def is_expired(self) -> bool:
        """Whether its lifetime is over. A task writes the status EXPIRED only some time later."""
        return self.expires_at <= timezone.now()

    @property
    def current_status(self) -> str:
        """The status as of now.

        A pending one is EXPIRED as soon as its lifetime is over, and MAX_ATTEMPTS as soon as no
        attempt is left, also where MAX_ATTEMPTS was lowered since.
        """
        if self.status != self.Status.PENDING:
            return self.status
        if self.is_expired:
            return self.Status.EXPIRED
        return self.Status.PENDING if self.attempts_left else self.Status.MAX_ATTEMPTS

    @property
    def is_open(self) -> bool:
        """Whether it can still be approved, and calls can still be sent for it."""
        return self.current_status == self.Status.PENDING

    @property
    def attempts_left(self) -> int:
        """The guesses that remain of MAX_ATTEMPTS; of a long code there are three at most."""
        most = int(settings.MAX_ATTEMPTS)
        most = min(most, self.LONG_ATTEMPTS) if self.is_long else most
        return max(most + self.earlier_attempts - self.attempts, 0)

    @property
    def has_long_code(self) -> bool:
        """Whether its code is longer than usual.

        Where the provider replied to the call for a long code with a short one, it is not.
        """
        return self.is_long and self.code_length > settings.CODE_LENGTH

    @property
    def resend_at(self) -> datetime | None:
        """When the next send is allowed (RESEND_AFTER); None where MAX_SENDS are used up.

        ``count_send`` has the same rule as a condition of its UPDATE.
        """
        if self.sends >= settings.MAX_SENDS:
            return None
        if self.last_sent_at is None:
            return self.created_at
        return after(self.last_sent_at, settings.RESEND_AFTER)

    def is_rested(self, now: datetime) -> bool:
        """Whether the last send was RESEND_AFTER seconds ago, and MAX_SENDS leave one more.

        ``count_send`` has the same rule as a condition of its UPDATE.
        """
        last = self.last_sent_at
        is_due = last is None or last <= before(now, settings.RESEND_AFTER)
        return self.sends < settings.MAX_SENDS and is_due

    def is_approved_within(self, seconds: float) -> bool:
        """Whether it was approved less than ``seconds`` seconds ago."""
        return self.approved_at is not None and self.approved_at > before(timezone.now(), seconds)

    @classmethod
    def count_guess(cls, verification_id: uuid.UUID, now: datetime) -> bool:
        """Count one guess. Call it before the guess is compared.

        Return False, and count nothing, where the verification is closed or expired, or no guess is
        left.
        """
        return bool(_COUNT_GUESS(id=verification_id, now=now, **cls._most_guesses()))

    @classmethod
    def count_send(
        cls, verification_id: uuid.UUID, now: datetime, is_at_once: bool = False
    ) -> bool:
        """Count one more send. Call it before the send is tried.

        Return False, and count nothing, where the verification is closed or expired, no send or no
        guess is left, or the last send was less than RESEND_AFTER seconds ago. ``is_at_once`` is
        for a person whose short code takes no guesses any more: nobody has to wait for a long one.
        """
        rested = Q(last_sent_at__isnull=True) | Q(
            last_sent_at__lte=before(now, settings.RESEND_AFTER)
        )
        open_rows = cls.objects.filter(cls._is_pending(), id=verification_id, expires_at__gt=now)
        has_guesses = cls._has_guesses(**cls._most_guesses())
        sendable = open_rows.filter(has_guesses, sends__lt=settings.MAX_SENDS)
        # Once the code is long, the second submit of a form has to wait again.
        due = rested | Q(is_long=False) if is_at_once else rested
        return bool(sendable.filter(due).update(sends=F("sends") + 1, last_sent_at=now))

    @classmethod
    def change_code(cls, verification_id: uuid.UUID, is_long: bool, code_length: int) -> None:
        """Make its code long, or short again. A changed one has all its guesses.

        Call it in the transaction that counted the send of the new code.
        """
        others = cls.objects.filter(id=verification_id).exclude(is_long=is_long)
        others.update(is_long=is_long, code_length=code_length, earlier_attempts=F("attempts"))

    @classmethod
    def return_send(cls, verification_id: uuid.UUID, sent_at: datetime) -> None:
        """Take back the send that was counted at ``sent_at``, because its request never left."""
        last_sent_at = Case(When(last_sent_at__lte=sent_at, then=None), default=F("last_sent_at"))
        cls.objects.filter(id=verification_id, sends__gt=0).update(
            sends=F("sends") - 1, last_sent_at=last_sent_at
        )

    @classmethod
    def allow_next_send(cls, verification_id: uuid.UUID, sent_at: datetime | None = None) -> None:
        """Let the next send follow at once, because the last one did not ring. It stays counted.

        With ``sent_at`` only where no send was counted later: the phone may ring for a newer one.
        """
        rows = cls.objects.filter(id=verification_id)
        if sent_at is not None:
            rows = rows.filter(last_sent_at__lte=sent_at)
        rows.update(last_sent_at=None)

    def approve(self, now: datetime) -> bool:
        """PENDING -> APPROVED. True for exactly one of several callers."""
        if not _APPROVE(id=self.id, now=now):
            return False
        self.status, self.approved_at, self.closed_at = self.Status.APPROVED, now, now
        return True

    def redeem(self, now: datetime) -> bool:
        """Mark the proof of an APPROVED verification as used. True for exactly one caller."""
        unused = type(self).objects.filter(id=self.id, redeemed_at__isnull=True)
        return bool(unused.update(redeemed_at=now))

    def exhaust(self) -> bool:
        """PENDING -> MAX_ATTEMPTS."""
        return self._close(self.Status.MAX_ATTEMPTS, timezone.now())

    def cancel(self) -> bool:
        """PENDING -> CANCELED."""
        return self._close(self.Status.CANCELED, timezone.now())

    @classmethod
    def expire_old(cls, now: datetime) -> int:
        """PENDING -> EXPIRED for all whose lifetime is over; return how many there were."""
        return cls.objects.filter(status=cls.Status.PENDING, expires_at__lte=now).update(
            status=cls.Status.EXPIRED, closed_at=F("expires_at")
        )

    @classmethod
    def _most_guesses(cls) -> dict[str, int]:
        """Return how many guesses a code has: the parameters of ``_has_guesses``."""
        most = int(settings.MAX_ATTEMPTS)
        return {"most": most, "most_long": min(most, cls.LONG_ATTEMPTS)}

    @staticmethod
    def _has_guesses(most: int | Combinable, most_long: int | Combinable) -> Q:
        """Return the condition "a guess is left": ``attempts_left`` has the same rule."""
        earlier = F("earlier_attempts")
        return Q(is_long=False, attempts__lt=earlier + most) | Q(
            is_long=True, attempts__lt=earlier + most_long
        )

    @classmethod
    def _is_pending(cls) -> Q:
        """Return the condition "is pending", for queries that find a row by its primary key.

        Not ``status=…``: with stale statistics PostgreSQL picks the status index and scans every
        pending row. Exclude the other statuses instead, so that it uses the primary key.
        """
        return ~Q(status__in=[status for status in cls.Status if status != cls.Status.PENDING])

    def _close(self, status: Verification.Status, now: datetime) -> bool:
        values = {"status": status, "closed_at": now}
        closed = type(self).objects.filter(self._is_pending(), id=self.id).update(**values)
        if closed:
            for name, value in values.items():
                setattr(self, name, value)
        return bool(closed)


def _count_guess(
    id: Any, now: Any, most: Any, most_long: Any
) -> tuple[models.QuerySet[Verification], dict[str, Any]]:
    rows = Verification.objects.filter(Verification._is_pending(), id=id, expires_at__gt=now)
    has_guesses = Verification._has_guesses(most, most_long)
    return rows.filter(has_guesses), {"attempts": F("attempts") + 1}


def _approve(id: Any, now: Any) -> tuple[models.QuerySet[Verification], dict[str, Any]]:
    rows = Verification.objects.filter(Verification._is_pending(), id=id)
    approved = Verification.Status.APPROVED
    return rows, {"approved_at": now, "status": approved, "closed_at": now}


_COUNT_GUESS = Update(
    Verification,
    _count_guess,
    id="id",
    now="expires_at",
    most="attempts",
    most_long="attempts",
)
_APPROVE = Update(Verification, _approve, id="id", now="approved_at")
