"""CallRequest: one paid request to the provider."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from django.db import models, router
from django.db.models import Exists, F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_voicepassword.models import call_states, call_updates
from django_voicepassword.models.compiled import Select, Update
from django_voicepassword.models.phone_ending import ending_field
from django_voicepassword.models.primary import PrimaryManager
from django_voicepassword.models.provider_text import ProviderId, ProviderText
from django_voicepassword.models.verifications import Verification
from django_voicepassword.security import masking


class CallRequest(models.Model):
    """One flash call, voice call or SMS. Its state only informs; it never approves a verification.

    A state only moves forward: ``queued -> placing -> placed | refused | unknown``, then to the
    states that the provider reports.
    """

    Channel = call_states.Channel
    State = call_states.State
    Origin = call_states.Origin
    Lane: TypeAlias = call_states.Lane
    Difference = call_states.Difference
    FINAL_STATES = call_states.FINAL_STATES
    FINAL_PROGRESS = call_states.FINAL_PROGRESS
    PROGRESS = call_states.PROGRESS
    UNSENT_STATES = call_states.UNSENT_STATES
    #: How long after its final state a call takes callbacks.
    CALLBACKS_END_AFTER = timedelta(days=7)
    #: ``service`` of a simulated call, to one of TEST_NUMBERS.
    TEST_SERVICE = "test number"

    verification = models.ForeignKey(
        Verification,
        verbose_name=_("verification"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="calls",
    )
    phone = models.CharField(_("phone"), max_length=15)
    phone_ending = ending_field()
    channel = models.CharField(_("channel"), max_length=9, choices=Channel.choices)
    state = models.CharField(_("state"), max_length=13, choices=State.choices, default=State.QUEUED)
    #: The provider's id. It is not unique: a call and its SMS may share one.
    provider_id = ProviderId(_("provider id"), max_length=64, blank=True, default="")
    #: The provider's own name of the service that was sold, as received.
    service = ProviderText(_("service"), max_length=64, blank=True, default="")
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=4, null=True, blank=True)
    duration = models.PositiveIntegerField(_("duration, seconds"), null=True, blank=True)
    origin = models.CharField(_("origin"), max_length=8, choices=Origin.choices, default=Origin.APP)
    error_code = ProviderText(_("error code"), max_length=200, blank=True, default="")
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    claimed_at = models.DateTimeField(
        _("claimed by a worker"), null=True, blank=True, editable=False
    )
    placed_at = models.DateTimeField(_("placed"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    occurred_at = models.DateTimeField(_("provider's date"), null=True, blank=True)
    next_poll_at = models.DateTimeField(_("next poll"), null=True, blank=True, editable=False)
    polls = models.PositiveSmallIntegerField(_("polls"), default=0, editable=False)
    #: HMAC of the code that this call carries (``codes.digest``); empty where it carries none.
    code_digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    #: What the limit ``ip`` counted this send for: an address, or ``client_ip.UNKNOWN``. Empty if
    #: that limit did not count it.
    counted_address = models.CharField(max_length=39, blank=True, default="", editable=False)
    lane = models.CharField(
        _("lane"), max_length=8, choices=Lane.choices, default=Lane.UNPROVEN, editable=False
    )
    #: Whether it is an open send: its verification was not approved.
    is_open = models.BooleanField(default=False, editable=False)
    #: The counters that counted this send, so that exactly that is given back
    #: (``limits.reservations``). Empty where nothing was counted, or it was given back.
    counted = models.TextField(blank=True, default="", editable=False)
    #: How many digits the provider's code is to have, where it is a long one (LONG_CODE); else
    #: None.
    capacity = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    #: When a sync first found it in the provider's daily statistics.
    listed_at = models.DateTimeField(_("listed by the provider"), null=True, blank=True)
    #: A sum of ``Difference``: the values that differed in the daily statistics. The provider's
    #: values were taken over.
    difference = models.PositiveSmallIntegerField(_("difference"), default=0)
    #: The price that was reserved in DAILY_BUDGET before the real one was known.
    reserved_price = models.DecimalField(
        max_digits=12, decimal_places=4, null=True, blank=True, editable=False
    )

    #: Digests of the Idempotency-Key and the request that asked for this call, and what the answer
    #: said (``verifications.idempotency``); None without a key.
    idempotency = models.JSONField(null=True, blank=True, editable=False)

    objects = PrimaryManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name = _("call request")
        verbose_name_plural = _("call requests")
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(channel__in=["flashcall", "voice", "sms"]),
                name="voicepassword_call_channel",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=[
                        "queued",
                        "placing",
                        "placed",
                        "refused",
                        "unknown",
                        "dialing",
                        "answered",
                        "no_answer",
                        "busy",
                        "canceled",
                        "failed",
                        "sms_queued",
                        "sms_sent",
                        "delivered",
                        "not_delivered",
                    ]
                ),
                name="voicepassword_call_state",
            ),
            models.CheckConstraint(
                condition=Q(origin__in=["app", "imported"]), name="voicepassword_call_origin"
            ),
            models.CheckConstraint(
                condition=Q(price__isnull=True) | Q(price__gte=0), name="voicepassword_call_price"
            ),
            models.CheckConstraint(
                condition=Q(state="queued")
                | Q(origin="imported")
                | Q(claimed_at__isnull=False)
                | Q(state="refused"),
                name="voicepassword_call_claimed",
            ),
        ]
        # The migration creates the partial indexes, because not every database supports them.
        indexes = [
            models.Index(fields=["created_at", "id"], name="voicepassword_call_created"),
            models.Index(fields=["phone", "created_at"], name="voicepassword_call_phone"),
            models.Index(fields=["state", "created_at"], name="voicepassword_call_state"),
            models.Index(fields=["provider_id"], name="voicepassword_call_provider"),
            models.Index(fields=["next_poll_at"], name="voicepassword_call_poll"),
            models.Index(fields=["phone_ending", "created_at"], name="voicepassword_call_ending"),
        ]
        permissions = [
            ("view_full_phone", _("Can see whole phone numbers")),
            ("ask_provider", _("Can ask the provider for the state of a call")),
            ("send_sms", _("Can send the code by SMS")),
            ("send_voice", _("Can have a robot call and say the code")),
        ]

    def __str__(self) -> str:
        return (
            f"{self.get_channel_display()}, {masking.mask(self.phone)}, {self.get_state_display()}"
        )

    def __repr__(self) -> str:
        return f"<CallRequest {self.pk} {self.channel} {self.state}>"

    @property
    def masked_phone(self) -> str:
        return masking.mask(self.phone)

    @property
    def is_masked(self) -> bool:
        """Whether RETENTION "mask" has removed the end of the number, or an erasure all of it."""
        return masking.is_removed(self.phone)

    @property
    def is_final(self) -> bool:
        return self.state in self.FINAL_STATES

    @property
    def is_given_up(self) -> bool:
        """Whether polling found no final state, and wrote why into ``error_code``."""
        return not self.is_final and self.finished_at is not None

    @property
    def differences(self) -> list[str]:
        """The values that differed in the daily statistics: ``state``, ``price``, ``duration``."""
        return [str(one.name).lower() for one in self.Difference if self.difference & one]

    @property
    def may_have_rung(self) -> bool:
        """Whether the person can have seen or heard the code of this call."""
        return self.state not in self.UNSENT_STATES

    @property
    def takes_callbacks(self) -> bool:
        """Whether the address of its callback is still valid."""
        if not self.is_final:
            return True
        return timezone.now() - (self.finished_at or self.created_at) < self.CALLBACKS_END_AFTER

    def lock(self) -> bool:
        """Lock the row until the current transaction ends, and read it again. False: it is gone.

        The lock is taken by a write: on SQLite a transaction that begins with a read cannot wait
        for a writer.
        """
        return bool(_LOCK(id=self.pk)) and self.read_locked()

    def read_locked(self) -> bool:
        """``lock`` in a transaction that has begun with a write.

        It is read with a lock: else a transaction of the project that began before would see its
        old snapshot.
        """
        for current in _LOCKED(id=self.pk):
            for field in self._meta.concrete_fields:
                setattr(self, field.attname, getattr(current, field.attname))
            return True
        return False

    def claim(self, code_digest: str, now: datetime) -> bool:
        """QUEUED -> PLACING. True for exactly one worker: only that one may send the request."""
        return self._move(
            [self.State.QUEUED], state=self.State.PLACING, claimed_at=now, code_digest=code_digest
        )

    def reserve(self, price: Decimal) -> None:
        """Write the price that is reserved in DAILY_BUDGET, which rose since it was queued."""
        self.reserved_price = price
        type(self).objects.filter(pk=self.pk).update(reserved_price=price)

    def read_counted(self) -> str:
        """Read ``counted`` again, of the row that the current transaction has locked."""
        rows = type(self).objects.using(router.db_for_write(type(self))).filter(pk=self.pk)
        values = rows.select_for_update().values_list("counted", flat=True)
        self.counted = values.first() or ""
        return self.counted

    def close(self, counted: str) -> bool:
        """End an open send; ``counted`` is what remains counted for it.

        True for exactly one of several callers: that one gives back the rest.
        """
        if not _CLOSE(pk=self.pk, old=self.counted, counted=counted):
            return False
        self.is_open, self.counted = False, counted
        return True

    def unclaim(self) -> bool:
        """PLACING -> QUEUED: the request certainly did not leave, and will be tried again."""
        return self._move(
            [self.State.PLACING], state=self.State.QUEUED, claimed_at=None, code_digest=""
        )

    def mark_refused(self, error_code: str, now: datetime) -> bool:
        """QUEUED or PLACING -> REFUSED: nothing rang; ``error_code`` says why."""
        return self._move(
            [self.State.QUEUED, self.State.PLACING],
            state=self.State.REFUSED,
            error_code=error_code,
            finished_at=now,
            code_digest="",
        )

    def mark_unknown(self, now: datetime, error_code: str = "") -> bool:
        """PLACING -> UNKNOWN: no readable reply came. It may have rung, so its code stays valid."""
        return self._move(
            [self.State.PLACING], state=self.State.UNKNOWN, placed_at=now, error_code=error_code
        )

    def mark_unresolved(self, error_code: str, now: datetime) -> bool:
        """PLACED, DIALING, SMS_QUEUED or SMS_SENT -> UNKNOWN: no report says how it ended.

        A report that arrives later still moves it.
        """
        open_states = [
            self.State.PLACED,
            self.State.DIALING,
            self.State.SMS_QUEUED,
            self.State.SMS_SENT,
        ]
        return self._move(
            open_states,
            state=self.State.UNKNOWN,
            error_code=error_code,
            finished_at=now,
            next_poll_at=None,
        )

    def mark_placed(
        self,
        provider_id: str,
        price: Decimal | None,
        code_digest: str,
        now: datetime,
        next_poll_at: datetime | None,
        error_code: str = "",
    ) -> bool:
        """PLACING -> PLACED, after the provider's reply.

        Return False where a callback arrived before the reply: then the state of the callback
        stays, and only the other values are written. A call that was already marked UNKNOWN (a very
        late reply) becomes PLACED too.
        """
        early = [self.State.PLACING, self.State.UNKNOWN]
        values: dict[str, Any] = {
            "provider_id": provider_id,
            "placed_at": now,
            "error_code": error_code,
        }
        is_new_code = code_digest != self.code_digest
        if is_new_code:
            values["code_digest"] = code_digest
        if price is not None:
            values["price"] = price
        if self._move(early, state=self.State.PLACED, next_poll_at=next_poll_at, **values):
            self._forget_digest(is_new_code)
            return True
        # A callback arrived before the reply: keep its state.
        type(self).objects.filter(pk=self.pk).update(**values)
        self._forget_digest(is_new_code)
        self.refresh_from_db()
        return False

    def _forget_digest(self, is_new_code: bool) -> None:
        """Remove a new digest where the person was erased while the provider was asked.

        It is a digest of the number too. One that the claim has written was erased with the row.
        """
        if is_new_code:
            erased = type(self).objects.filter(pk=self.pk, phone=masking.ERASED)
            erased.update(code_digest="")

    def move_forward(self, old_state: str, values: dict[str, Any]) -> bool:
        """Write ``values``, with a new state among them, if the state is still ``old_state``.

        This is a compare-and-swap: where another process has changed the state, nothing is written
        and False is returned.
        """
        return self._move([old_state], **values)

    def move_if_expected(
        self, values: dict[str, Any], unless: Callable[[Any], Exists], old_state: str = ""
    ) -> bool:
        """Write ``values`` without reading the row first.

        The conditions are in the UPDATE: the row is a call, no SMS; it has the phone, the
        provider's id and, where it is set, the price of this object; polling has not given it up;
        the new state is forward of its state, which is ``old_state`` where that is given; and
        ``unless`` of its key is false.
        """
        expected = {"id": self.pk, "phone": self.phone, "provider_id": self.provider_id}
        if old_state:
            expected["state"] = old_state
        if self.price is not None:
            expected["price"] = self.price
        model, state, changed = type(self), values["state"], tuple(sorted(values))
        move = call_updates.move_if_expected(model, state, tuple(expected), changed, unless)
        return bool(move(**expected, **call_updates.changes(values)))

    @classmethod
    def is_forward(cls, old_state: str, new_state: str) -> bool:
        """Return whether a report of ``new_state`` may move a call that is in ``old_state``."""
        return cls.PROGRESS.get(new_state, -1) > cls.PROGRESS[old_state]

    @classmethod
    def abandoned(cls, claimed_before: datetime) -> list[int]:
        """Return the keys of the PLACING calls that were claimed before ``claimed_before``."""
        placing = cls.objects.filter(state=cls.State.PLACING, claimed_at__lt=claimed_before)
        return list(placing.values_list("pk", flat=True))

    def _move(self, old_states: Iterable[str], **values: Any) -> bool:
        move = call_updates.move(type(self), frozenset(old_states), tuple(sorted(values)))
        moved = move(id=self.pk, **call_updates.changes(values))
        if moved:
            for name, value in values.items():
                setattr(self, name, value)
        return bool(moved)


def _lock(id: Any) -> tuple[models.QuerySet[CallRequest], dict[str, Any]]:
    return CallRequest.objects.filter(id=id), {"state": F("state")}


def _locked(id: Any) -> models.QuerySet[CallRequest]:
    return CallRequest.objects.select_for_update().filter(id=id)


def _close(pk: Any, old: Any, counted: Any) -> tuple[models.QuerySet[CallRequest], dict[str, Any]]:
    unchanged = CallRequest.objects.filter(pk=pk, counted=old)
    return unchanged, {"is_open": False, "counted": counted}


_LOCK, _LOCKED = Update(CallRequest, _lock, id="id"), Select(CallRequest, _locked, id="id")
_CLOSE = Update(CallRequest, _close, pk="id", old="counted", counted="counted")
