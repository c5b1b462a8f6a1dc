"""What the limits and the guard keep of numbers and addresses, and how it is removed.

Keys of counters contain numbers, blocks of numbers, addresses and networks. What several people
share stays: it says nothing about one of them, and protects the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from django.db.models import Q, QuerySet
from django.utils import timezone

from django_voicepassword.limits.client_ip import network, subject
from django_voicepassword.limits.counters import database
from django_voicepassword.limits.guard.subjects import block_of, network_of
from django_voicepassword.limits.subjects import LONG, NETWORK, SOLVED
from django_voicepassword.limits.usage import counters_of
from django_voicepassword.models import FraudTrip, LimitCounter
from django_voicepassword.transactions import retry

#: The counters of a block of numbers.
_OF_BLOCK = ("block", "prefix", f"prefix{SOLVED}", f"{LONG}block")
#: The counters of an address.
_OF_ADDRESS = ("ip", f"ip{SOLVED}")


def counters_of_numbers(phones: Sequence[str]) -> QuerySet[LimitCounter]:
    """Return the counters whose key contains one of the numbers, whatever they count."""
    return LimitCounter.objects.filter(_any(Q(key__contains=phone) for phone in phones))


def remove_numbers(phones: Sequence[str]) -> None:
    """Delete the counters of these numbers."""
    _delete(counters_of_numbers(phones))


def remove_devices(token_hashes: Sequence[str]) -> None:
    """Delete the counters of the devices with these hashes."""
    keys = [f"devices:{token_hash}" for token_hash in token_hashes]
    _delete(LimitCounter.objects.filter(key__in=keys))


def remove_blocks(phones: Iterable[str]) -> None:
    """Remove the blocks of these numbers: nobody else has a number in them."""
    blocks = sorted({block_of(phone) for phone in phones})
    counters = [counters_of(name, block) for name in _OF_BLOCK for block in blocks]
    seen_from = [Q(key__startswith=f"{LONG}block{NETWORK}:{block}:") for block in blocks]
    _delete(LimitCounter.objects.filter(_any([*counters, *seen_from])))
    _remove_trips(FraudTrip.Kind.BLOCK, blocks)


def remove_addresses(addresses: Iterable[str]) -> None:
    """Remove these addresses, and the networks that are counted with them: nobody else has them."""
    counters = []
    for address in addresses:
        counters += [counters_of(name, subject(address)) for name in _OF_ADDRESS]
        # A number of TEST_NUMBERS is counted with the address.
        counters.append(Q(key__endswith=f":{subject(address)}", key__startswith="phone_guesses:"))
        if wide := network(address):
            counters += [counters_of(f"{name}{NETWORK}", wide) for name in _OF_ADDRESS]
            counters += [counters_of(f"ip{NETWORK}{SOLVED}", wide)]
    _delete(LimitCounter.objects.filter(_any(counters)))


def remove_networks(networks: Sequence[str]) -> None:
    """Remove these networks from the counters of long codes and from the trips of the guard."""
    counters = [counters_of(f"{LONG}network", one) for one in networks]
    counters += [Q(key__startswith=LONG, key__contains=f":{one}") for one in networks]
    _delete(LimitCounter.objects.filter(_any(counters)))
    _remove_trips(FraudTrip.Kind.NETWORK, networks)


def noted_networks(addresses: Iterable[str]) -> list[str]:
    """Return the networks of these addresses that a trip or a counter of long codes names."""
    networks = {network_of(address) for address in addresses} - {""}
    trips = FraudTrip.objects.filter(kind=FraudTrip.Kind.NETWORK, subject__in=networks)
    named = set(trips.values_list("subject", flat=True))
    for key in LimitCounter.objects.filter(key__startswith=LONG).values_list("key", flat=True):
        named.update(one for one in networks if key.partition("#")[0].endswith(f":{one}"))
    return sorted(named)


def _remove_trips(kind: str, subjects: Sequence[str]) -> None:
    """Hide the subjects of trips. One that still lasts ends: it covered nobody else."""
    trips = FraudTrip.objects.filter(kind=kind, subject__in=subjects).exclude(subject="")
    ended = {"active_key": None, "ended_at": timezone.now(), "end": FraudTrip.End.STAFF}
    retry(lambda: trips.filter(active_key__isnull=False).update(**ended), database())
    retry(lambda: trips.update(subject=""), database())


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions, Q(pk__in=[]))


def _delete(counters: QuerySet[LimitCounter]) -> None:
    retry(counters.delete, database())
