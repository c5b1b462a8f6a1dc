"""Try a call again after the provider refused the connection: surely nobody was rung."""

from __future__ import annotations

import logging

from django.utils import timezone

from django_voicepassword.calls.errors import UNREACHABLE
from django_voicepassword.calls.replies import refuse, retry_write
from django_voicepassword.conf import settings
from django_voicepassword.models import CallRequest
from django_voicepassword.models.moments import after, as_aware

logger = logging.getLogger(__name__)

#: Seconds until the first new try of a refused connection.
FIRST_RETRY = 2.0
#: The most seconds that a new try waits.
LONGEST_RETRY = 60.0


def retry_later(call: CallRequest, last_try: bool) -> float | None:
    """The connection was refused: PLACING -> QUEUED, and the seconds until the next try.

    None: the verification would have ended by then, and the call is REFUSED. The wait is as long as
    the call is old, so it roughly doubles each time and needs no counter.
    """
    now = timezone.now()
    waited = (as_aware(now) - as_aware(call.created_at)).total_seconds()
    delay = min(max(FIRST_RETRY, waited), LONGEST_RETRY)
    ends = (
        call.verification.expires_at
        if call.verification
        else after(call.created_at, settings.CODE_TTL)
    )
    if last_try or after(now, delay) >= ends:
        logger.error("call %s: the provider cannot be reached, given up", call.pk)
        refuse(call, UNREACHABLE, give_back=True)
        return None
    logger.warning("call %s: the provider cannot be reached, next try in %.0f s", call.pk, delay)
    retry_write(call.unclaim)
    return delay
