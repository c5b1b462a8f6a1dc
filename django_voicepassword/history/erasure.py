"""Erase the rows of a person, and leave the books as they are.

Calls and verifications stay, with the provider's id and their figures, but without number, user and
address. It works in batches: an interrupted run can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import router
from django.db.models import QuerySet

from django_voicepassword import transactions
from django_voicepassword.history import traces
from django_voicepassword.history.person import Person
from django_voicepassword.limits import traces as limits_traces
from django_voicepassword.models import CallRequest, TrustedDevice, Verification
from django_voicepassword.security.masking import ERASED

#: Rows in one transaction, so that it holds its row locks only briefly.
BATCH = 1000
#: Called with the number of rows done so far.
Progress = Callable[[int], None]

_CALL: dict[str, Any] = {
    **traces.VALUES,
    "phone": ERASED,
    "counted_address": "",
    "counted": "",
    "is_open": False,
    "idempotency": None,
}
_VERIFICATION: dict[str, Any] = {
    "phone": ERASED,
    "user": None,
    "ip": None,
    "idempotency_digest": None,
}


def erase(person: Person, progress: Progress | None = None) -> int:
    """Erase all rows of a person; return how many there were.

    Their numbers are nobody's any more, and their verifications closed: the caller has seen to it.
    """
    # First: the rows tell which addresses are those of this person alone.
    for addresses in person.exclusive_addresses():
        networks = person.exclusive_networks(addresses)
        limits_traces.remove_addresses(addresses)
        limits_traces.remove_networks(networks)
        traces.remove_named_entries(addresses, networks)
    limits_traces.remove_blocks(person.exclusive_blocks())
    run = _Run(progress)
    for calls in person.calls:
        run.write(calls, "created_at", _erase_calls)
    for verifications in person.verifications:
        run.write(verifications, "created_at", _erase_verifications)
    run.write(person.refusals, "last_at", partial(_delete, person.refusals))
    # Last: until now, a start or a guess may have made a counter again.
    limits_traces.remove_numbers(person.phones)
    return run.done


def forget_devices(person: Person) -> None:
    """Delete the devices of a person, and what counts for them."""
    hashes = list(person.devices.values_list("token_hash", flat=True))
    transactions.retry(person.devices.delete, router.db_for_write(TrustedDevice))
    limits_traces.remove_devices(hashes)


class _Run:
    """Writes rows in batches, and counts them in ``done``."""

    def __init__(self, progress: Progress | None) -> None:
        self.done = 0
        self._progress = progress

    def write(self, rows: QuerySet[Any], moment: str, write: Callable[[list[Any]], object]) -> None:
        """Call ``write`` with the keys of each batch, until there are no ``rows`` left."""
        database = router.db_for_write(rows.model)
        oldest_first = rows.order_by(moment).values_list("pk", flat=True)
        while keys := list(oldest_first[:BATCH]):
            transactions.atomic_with_retry(partial(write, keys), database)
            self.done += len(keys)
            if self._progress is not None:
                self._progress(self.done)


def _erase_calls(keys: list[Any]) -> None:
    CallRequest.objects.filter(pk__in=keys).update(**_CALL)
    traces.remove_reports(keys)
    traces.remove_log_entries(keys)


def _erase_verifications(keys: list[Any]) -> None:
    Verification.objects.filter(pk__in=keys).update(**_VERIFICATION)
    traces.remove_log_entries(keys, Verification)


def _delete(rows: QuerySet[Any], keys: list[Any]) -> None:
    rows.filter(pk__in=keys).delete()
