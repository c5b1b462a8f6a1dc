"""What the guard watches: blocks of numbers, operator prefixes, networks, and the whole site."""

from __future__ import annotations

import ipaddress
from functools import lru_cache, reduce
from operator import or_

from django.db.models import Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact

from django_voicepassword import phones
from django_voicepassword.models import FraudTrip

#: The length of a network's prefix, by the version of the protocol.
_PREFIX_LENGTHS = {4: 24, 6: 48}
#: A kind and its subject, for example ``("network", "192.0.2.0/24")``.
Subject = tuple[str, str]
SITE: Subject = (FraudTrip.Kind.SITE, "")


def block_of(phone: str) -> str:
    """Return the block of a number: its digits without the last four."""
    return phone[:-4]


@lru_cache(maxsize=65536)
def network_of(address: str) -> str:
    """Return the /24 of an IPv4 address or the /48 of an IPv6 one, "" for any other text."""
    try:
        length = _PREFIX_LENGTHS[ipaddress.ip_address(address).version]
        return str(ipaddress.ip_network((address, length), strict=False))
    except ValueError:
        return ""


def subjects_of(phone: str, address: str) -> list[Subject]:
    """Return every subject that a send to ``phone``, asked for from ``address``, counts for."""
    return [(FraudTrip.Kind.BLOCK, block_of(phone)), *wide_subjects_of(phone, address)]


def wide_subjects_of(phone: str, address: str) -> list[Subject]:
    """Return the subjects that the watch counts for: all but the block.

    Of ``phone``, the first five digits are enough.
    """
    subjects: list[Subject] = [(FraudTrip.Kind.PREFIX, phones.operator_prefix(phone)), SITE]
    network = network_of(address)
    return [*subjects, (FraudTrip.Kind.NETWORK, network)] if network else subjects


def condition(subject: Subject, address: str) -> Q:
    """Return the condition of the sends of a subject; the column ``address`` has the address."""
    kind, text = subject
    if kind == FraudTrip.Kind.BLOCK:
        # Not LIKE: most collations cannot use the index for it. A longer number lies in between.
        is_as_long = Exact(Length("phone"), len(text) + 4)
        return Q(phone__gte=f"{text}0000", phone__lte=f"{text}9999") & Q(is_as_long)
    if kind == FraudTrip.Kind.PREFIX:
        return Q(phone__startswith=text)
    if kind == FraudTrip.Kind.NETWORK:
        starts = [Q(**{f"{address}__startswith": start}) for start in _starts(text)]
        return reduce(or_, starts)
    return Q()


def _starts(network: str) -> list[str]:
    """Return how the addresses of a /24 or a /48 begin, as ``client_ip`` writes them."""
    parsed = ipaddress.ip_network(network)
    if parsed.version == 4:
        return [network.rpartition(".")[0] + "."]
    groups = parsed.network_address.exploded.split(":")[:3]
    # Where the third group is 0, "::" may stand for it.
    written = ":".join(f"{int(group, 16):x}" for group in groups)
    return [f"{written}:", str(parsed.network_address)]


def active_key(kind: str, cause: str, subject: str) -> str:
    """Return the key of the open trip of a subject, of which there is one at most."""
    return f"{kind}:{cause}:{subject}"
