"""Why an action of support cannot succeed now, in words for the clerk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from django_voicepassword import limits, phones
from django_voicepassword.admin import prices
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import PrefixNotAllowed
from django_voicepassword.limits import circuit
from django_voicepassword.models import CallRequest, Verification
from django_voicepassword.models.moments import seconds_until
from django_voicepassword.verifications import channels
from django_voicepassword.verifications.limit_texts import duration

NO_ID = gettext_lazy(
    "The provider gave no id for this call: only the daily statistics can find it."
)
_NO_CODE = gettext_lazy("This site sent no code by this call.")
_OVER = gettext_lazy("The verification is over already.")
#: Channel -> why nothing is sent by it after the end of a verification.
_NEEDS_OPEN: dict[str, Promise] = {
    "sms": gettext_lazy(
        "An SMS needs a verification that is still open: the customer must ask for a new code."
    ),
    "voice": gettext_lazy(
        "A call needs a verification that is still open: the customer must ask for a new code."
    ),
}


@dataclass(frozen=True)
class Situation:
    """A call for which the clerk wants to do something.

    ``calls`` are all calls of the same verification, oldest first.
    """

    call: CallRequest
    calls: list[CallRequest]
    now: datetime

    @classmethod
    def of(cls, call: CallRequest, calls: list[CallRequest] | None = None) -> Situation:
        """Return the situation of a call as of now."""
        if calls is None:
            verification = call.verification
            calls = list(verification.calls.order_by("id")) if verification else []
        return cls(call, calls, timezone.now())

    @cached_property
    def used(self) -> list[tuple[str, int, int]]:
        """What the number has used of its limits: see ``limits.usage``."""
        return limits.usage(self.call.phone, self.now)

    @cached_property
    def currency(self) -> str:
        """The currency of prices, in the provider's word."""
        return prices.currency()

    @cached_property
    def _account_refusal(self) -> circuit.Refusal | None:
        return circuit.refusal()

    @property
    def is_exhausted(self) -> bool:
        """Whether a limit of the number is reached."""
        return any(used >= allowed for _rate, used, allowed in self.used)

    @property
    def wait(self) -> int:
        """The seconds until the code may be sent again (RESEND_AFTER)."""
        resend_at = self.call.verification and self.call.verification.resend_at
        return seconds_until(resend_at, self.now) if resend_at else 0

    def obstacle(self, name: str) -> str:
        """Return why the action ``name`` cannot succeed now; "" where it can."""
        if name == "ask":
            return self._obstacle_to_asking()
        if name == "unblock":
            return "" if self.used else _("No limit of this number is used.")
        verification = self.call.verification
        if verification is None:
            return str(_NO_CODE)
        if name == "cancel":
            return "" if verification.is_open else str(_OVER)
        if not verification.is_open:
            return str(_NEEDS_OPEN[name])
        return self._obstacle_of_channel(name, verification) or self._obstacle_of_number(name)

    def _obstacle_to_asking(self) -> str:
        if self.call.service == CallRequest.TEST_SERVICE:
            return _("It is a test number: the provider knows nothing of it.")
        if not self.call.provider_id:
            return str(NO_ID)
        if self.call.is_final:
            return _("The provider has reported the final state already.")
        return ""

    def _obstacle_of_channel(self, channel: str, verification: Verification) -> str:
        if verification.is_long:
            return _("The code is longer than usual, and comes by flash call alone.")
        if channel not in settings.CHANNELS:
            return _("This way is switched off on this site.")
        if channel not in channels.possible(self.calls, verification.is_long):
            return _("An SMS repeats the code of a call, and the provider has taken none yet.")
        if verification.resend_at is None:
            return _(
                "All sends of this code are used (%(count)d): the customer must ask for a new code."
            ) % {"count": verification.sends}
        return self.waiting() if self.wait else ""

    def waiting(self) -> str:
        """Return when the code may be sent again: ``in 57 seconds``."""
        return _("in %(wait)s") % {"wait": duration(self.wait)}

    def _obstacle_of_number(self, channel: str) -> str:
        for rate, used, allowed in self.used:
            if rate.startswith("phone ") and used >= allowed:
                return _("The number was called too often: unblock it first.")
        try:
            if phones.fixed_code(self.call.phone) is None:
                phones.check_allowed(self.call.phone)
        except PrefixNotAllowed:
            return _("This site does not call numbers like this one.")
        if self._account_refusal is not None:
            return _("VoicePassword refuses the account: nobody gets a code for now.")
        return ""
