"""What the guard watches: blocks of numbers, operator prefixes, networks, and the whole site."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

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


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return the /24 of an IPv4 address or the /48 of an IPv6 one, "" for any other text."""
    try:
        length = _PREFIX_LENGTHS[ipaddress.ip_address(address).version]
        return str(ipaddress.ip_network((address, length), strict=False))
    except ValueError:
        return ""


def subjects_of(phone: str, address: str) -> list[Subject]:
    """Return every subject that a send to ``phone``, asked for from ``address``, counts for."""
    subjects: list[Subject] = [
        (FraudTrip.Kind.BLOCK, block_of(phone)),
        (FraudTrip.Kind.PREFIX, phones.operator_prefix(phone)),
        SITE,
    ]
    network = network_of(address)
    return [*subjects, (FraudTrip.Kind.NETWORK, network)] if network else subjects


def active_key(kind: str, cause: str, subject: str) -> str:
    """Return the key of the open trip of a subject, of which there is one at most."""
    return f"{kind}:{cause}:{subject}"
