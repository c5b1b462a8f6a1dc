"""Refused sends: whom support can help, and what it can read about an attack.

One row holds all sends to one number from one address that were refused for one reason. The table
is bounded, so that an attack with many numbers and addresses cannot fill the disk.
"""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta

from django.db import Error as DatabaseFailure
from django.db import connections, router
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from django_voicepassword import signals
from django_voicepassword.exceptions import RateLimited, VerificationError
from django_voicepassword.limits import client_ip
from django_voicepassword.models import RefusedAttempt, Verification
from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.transactions import atomic_with_retry

logger = logging.getLogger(__name__)

#: How long a row is kept after its last attempt.
KEPT = timedelta(days=30)
#: There are at most 100,000 rows. One attempt in ``TRIM_EACH``, chosen at random, deletes all but
#: the newest ``TRIMMED_TO`` rows: that 10,000 in a row are not chosen has a chance of 4e-18.
TRIMMED_TO, TRIM_EACH = 90_000, 250
#: The longest reason that the column holds.
_LONGEST = RefusedAttempt._meta.get_field("reason").max_length


def record(error: VerificationError, phone: str, request: HttpRequest | None) -> None:
    """Note that a send to ``phone`` was refused with ``error``, and send ``send_refused``.

    ``phone`` is in its canonical form; it is "" where what was typed is no number, and then no row
    is written. Never raises: a database that fails must not change the answer to the person.
    """
    # Where the database failed, it would only fail once more, after the same wait.
    if phone and not isinstance(error.__cause__, DatabaseFailure):
        _write(phone, client_ip.counted_address(request), reason_of(error))
    signals.send_refused.send_robust(sender=Verification, error=error, phone=phone, request=request)


def reason_of(error: VerificationError) -> str:
    """Return the name of the limit that refused, or the stable word of another error."""
    reason = error.limit if isinstance(error, RateLimited) else error.code
    return reason[:_LONGEST]


@sensitive
def _write(phone: str, address: str, reason: str) -> None:
    """Count the attempt in its row; a failure is only logged."""
    using = router.db_for_write(RefusedAttempt)
    now = timezone.now()
    try:
        # A transaction also where the project has one around the send: its own must stay usable
        # after a failure.
        atomic_with_retry(lambda: _count(phone, address, reason, now, using), using)
        if random.randrange(TRIM_EACH) == 0:  # noqa: S311  # nosec B311
            trim()
    except DatabaseFailure as failure:
        # The further lines of its text may hold the row, and its frames the number.
        text = str(failure).partition("\n")[0]
        logger.warning("a refused attempt could not be noted: %s", text)


def _count(phone: str, address: str, reason: str, now: datetime, using: str) -> None:
    """Insert the row of these three, or count one more in it: one statement.

    The ORM has no upsert that adds to a column.
    """
    connection = connections[using]
    fields = {field.name: field for field in RefusedAttempt._meta.concrete_fields}
    quote = connection.ops.quote_name
    table = quote(RefusedAttempt._meta.db_table)
    names = ("phone", "address", "reason", "count", "first_at", "last_at")
    columns = [quote(str(fields[name].column)) for name in names]
    if connection.features.supports_update_conflicts_with_target:
        conflict = f"ON CONFLICT ({', '.join(columns[:3])}) DO UPDATE SET"
    else:
        conflict = "ON DUPLICATE KEY UPDATE"
    counted, last = columns[3], columns[5]
    sql = (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES (%s, %s, %s, 1, %s, %s) "  # names only  # noqa: S608  # nosec B608
        f"{conflict} {counted} = {table}.{counted} + 1, {last} = %s"
    )
    moment = fields["last_at"].get_db_prep_save(now, connection)
    with connection.cursor() as cursor:
        cursor.execute(sql, (phone, address, reason, moment, moment, moment))


def trim() -> int:
    """Delete the oldest rows where there are more than ``TRIMMED_TO``; return how many."""
    rows = RefusedAttempt.objects.order_by("-last_at", "-id").values_list("last_at", "id")
    newest_outdated = rows[TRIMMED_TO : TRIMMED_TO + 1].first()
    if newest_outdated is None:
        return 0
    last_at, key = newest_outdated
    outdated = RefusedAttempt.objects.filter(
        Q(last_at__lt=last_at) | Q(last_at=last_at, id__lte=key)
    )
    return atomic_with_retry(outdated.delete, outdated.db)[0]
