"""Send one call request to the provider, at most once.

``place`` claims the row first (QUEUED -> PLACING, for one worker). Whatever happens after that ends
in PLACED, REFUSED or UNKNOWN, or back in QUEUED where the connection was refused. A request that
may have left is never sent again.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.urls import NoReverseMatch, get_script_prefix, reverse

from django_voicepassword.calls import replies, retries, spending
from django_voicepassword.calls.errors import (
    ACCOUNT_REFUSED,
    INTERRUPTED,
    MISCONFIGURED,
    NO_BUDGET,
    NO_EARLIER_CALL,
    NO_REPLY,
    REPLACED,
    TOO_LATE,
)
from django_voicepassword.conf import settings
from django_voicepassword.exceptions import (
    AccountRefused,
    ProviderError,
    ProviderRefused,
    Unreachable,
)
from django_voicepassword.limits import circuit, long_codes
from django_voicepassword.models import CallRequest
from django_voicepassword.models.compiled import Select
from django_voicepassword.provider import factory
from django_voicepassword.provider.interface import ProviderClient
from django_voicepassword.provider.protocol import SendReply
from django_voicepassword.security import callback_tokens, codes
from django_voicepassword.security.sensitive import sensitive

logger = logging.getLogger(__name__)


@sensitive
def place(call_id: int, last_try: bool = False) -> float | None:
    """Send one queued call request, at most once.

    Returns the seconds until the next try where the connection was refused. None: the call is
    settled, or another worker has it. With ``last_try`` a refused connection ends the call as
    REFUSED ``unreachable``.
    """
    call = next(iter(_QUEUED(id=call_id)), None)
    if call is None or call.state != CallRequest.State.QUEUED:
        logger.info("call %s is not queued: left alone", call_id)
        return None
    calls = _calls_of(call)
    outdated = _outdated(call, calls)
    if outdated:
        replies.refuse_unsent(call, outdated)
        return None
    is_sms = call.channel == CallRequest.Channel.SMS
    earlier_call = _earlier_call(call) if is_sms else None
    if is_sms and earlier_call is None:
        replies.refuse_unsent(call, NO_EARLIER_CALL)
        return None
    try:
        client = factory.client(call.verification_id)
    except ImproperlyConfigured:
        replies.refuse_unsent(call, MISCONFIGURED)
        raise
    # Those of the codes that earlier calls of the verification carried.
    digests = [other.code_digest for other in calls if other.code_digest]
    code = _our_code(call, digests)
    if call.is_account_refused:
        logger.error("call %s: not sent: the provider refuses the account", call_id)
        replies.refuse_unsent(call, ACCOUNT_REFUSED)
        return None
    has_money = spending.claim(call, _digest(call, code, earlier_call, digests))
    if has_money is None:
        logger.info("call %s is claimed by another worker: left alone", call_id)
        return None
    if not has_money:
        logger.error("call %s: not sent: DAILY_BUDGET has no money left for its price", call_id)
        replies.refuse(call, NO_BUDGET, give_back=True)
        return None
    return _send_claimed(client, call, code, earlier_call, last_try)


def _queued(id: Any) -> QuerySet[CallRequest]:
    rows = CallRequest.objects.filter(id=id).annotate(is_account_refused=circuit.is_open())
    return rows.select_related("verification")


#: A row says as ``is_account_refused`` whether the circuit is open.
_QUEUED: Select[Any] = Select(CallRequest, _queued, id="id")


def give_up(call_id: int, error_code: str) -> bool:
    """QUEUED -> REFUSED for a call that no worker has; what was reserved for it is given back.

    False, and nothing is changed, where a worker has it after all.
    """
    call = CallRequest.objects.select_related("verification").get(pk=call_id)
    return replies.refuse_unsent(call, error_code)


def callback_url(call_id: int) -> str | None:
    """The address to which the provider reports a call; None without CALLBACK_BASE_URL.

    The base may end with the path under which the site is mounted (SCRIPT_NAME). A request knows
    that path, and ``reverse()`` prepends it there; a worker does not.
    """
    base = settings.CALLBACK_BASE_URL
    if not base:
        return None
    try:
        token = callback_tokens.make_callback_token(call_id)
        path = reverse("voicepassword:callback", args=[token])
    except NoReverseMatch:
        logger.error(
            "CALLBACK_BASE_URL is set, but django_voicepassword.urls is not included: "
            "no callback is asked for"
        )
        return None
    base, mounted_under = base.rstrip("/"), get_script_prefix().rstrip("/")
    if urlsplit(base).path.endswith(mounted_under):
        base = base.removesuffix(mounted_under)
    return f"{base}{path}"


def _send_claimed(
    client: ProviderClient,
    call: CallRequest,
    code: str | None,
    earlier_call: CallRequest | None,
    last_try: bool,
) -> float | None:
    try:
        with circuit.opens():
            reply = _ask(client, call, code, earlier_call)
    except ProviderRefused as error:
        logger.error("call %s: the provider refused: %s", call.pk, error.error_code)
        replies.refuse(call, error.error_code, give_back=isinstance(error, AccountRefused))
        if call.capacity is not None:
            long_codes.note_refusal(error)
    except ProviderError as error:
        if not error.may_have_rung:
            return retries.retry_later(call, last_try)
        logger.error("call %s: no readable answer, it may have rung: %s", call.pk, error)
        reason = NO_REPLY if isinstance(error, Unreachable) else error.code
        replies.mark_unknown(call, reason)
    except ValueError as error:
        # The protocol refused to encode the request: nothing was sent.
        logger.error("call %s: not sent: %s", call.pk, error)
        replies.refuse(call, MISCONFIGURED, give_back=True)
    except BaseException:
        # A worker told to stop, or a fault of ours: the phone may have rung.
        replies.mark_unknown(call, INTERRUPTED)
        raise
    else:
        replies.keep_reply(call, reply)
    return None


def _calls_of(call: CallRequest) -> list[CallRequest]:
    """All calls of its verification, as ``place`` needs them; [] where it is the first."""
    if call.verification is None or call.verification.sends < 2:
        return []
    calls = CallRequest.objects.filter(verification=call.verification)
    return list(calls.only("state", "code_digest"))


def _outdated(call: CallRequest, calls: list[CallRequest]) -> str:
    """The error code of a call that nobody waits for any more; "" where somebody does.

    ``calls`` are those of its verification.
    """
    if call.verification is not None and not call.verification.is_open:
        return TOO_LATE
    # Where workers stood still, both would ring in the same second.
    sent = [other for other in calls if other.state != CallRequest.State.REFUSED]
    return REPLACED if any(other.pk > call.pk for other in sent) else ""


def _our_code(call: CallRequest, digests: list[str]) -> str | None:
    """The code that we make; None where the provider makes it, or an SMS repeats one.

    ``digests`` are those of the earlier calls of its verification, which carried the same code.
    """
    if call.verification_id is None or call.channel == CallRequest.Channel.SMS:
        return None
    if settings.CODE_SOURCE != "client" or call.capacity is not None:
        return None
    return codes.make_again(call.verification_id, call.phone, digests)


def _digest(
    call: CallRequest, code: str | None, earlier_call: CallRequest | None, digests: list[str]
) -> str:
    """The digest of the code that the call carries; empty where it is not known yet."""
    if earlier_call is not None:
        return earlier_call.code_digest
    if code is None or call.verification_id is None:
        return ""
    return codes.digest_again(call.verification_id, call.phone, code, digests)


def _earlier_call(call: CallRequest) -> CallRequest | None:
    """The call whose code an SMS repeats: the newest of the verification that the provider took.

    No SMS repeats a long code.
    """
    if call.verification_id is None:
        return None
    return (
        CallRequest.objects.filter(verification_id=call.verification_id, capacity__isnull=True)
        .exclude(channel=CallRequest.Channel.SMS)
        .exclude(provider_id="")
        .order_by("-id")
        .first()
    )


def _ask(
    client: ProviderClient, call: CallRequest, code: str | None, earlier_call: CallRequest | None
) -> SendReply:
    if earlier_call is not None:
        return client.sms(earlier_call.provider_id)
    address = callback_url(call.pk)
    if call.channel == CallRequest.Channel.VOICE:
        return client.voice_call(
            call.phone,
            code=code,
            repeat=settings.VOICE_REPEAT,
            ani=settings.ANI,
            callback_url=address,
        )
    if code is not None:
        return client.flash_call(call.phone, code=code, callback_url=address)
    capacity = settings.CODE_LENGTH if call.capacity is None else call.capacity
    return client.flash_call(call.phone, capacity=capacity, callback_url=address)
