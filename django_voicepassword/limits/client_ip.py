"""The client's address, and what the limit ``ip`` counts by. Only trusted proxies are believed."""

from __future__ import annotations

import ipaddress
import logging
from functools import lru_cache

from django.http import HttpRequest

from django_voicepassword.conf import settings
from django_voicepassword.limits import alarms

logger = logging.getLogger(__name__)

#: What the limit ``ip`` counts requests without a client address by: they all share one subject.
UNKNOWN = "unknown"
#: What is noted at most once an hour (``alarms.last_time``): a request without an address, one with
#: fewer entries in X-Forwarded-For than TRUSTED_PROXIES, one with the header while that is 0.
NO_ADDRESS, FEW_ENTRIES, FORWARDED = "no_client_address", "few_entries", "forwarded_for"


def client_address(request: HttpRequest | None) -> str | None:
    """Return the client's IP address in its canonical spelling.

    Return None where there is none: no request (a command), or a request through a Unix socket.

    With TRUSTED_PROXIES = N, the address is the N-th entry of X-Forwarded-For from the right: the
    one that the outermost trusted proxy saw. The entries to its left come from the client, who can
    write anything there.
    """
    if request is None:
        return None
    direct = canonical(request.META.get("REMOTE_ADDR", ""))
    proxies = settings.TRUSTED_PROXIES
    if not proxies:
        return direct
    entries = _forwarded(request)
    if len(entries) < proxies:
        return direct
    return canonical(entries[-proxies]) or direct


def counted_address(request: HttpRequest | None) -> str:
    """Return what the limit ``ip`` counts a request for: its address, or UNKNOWN.

    Without a request it is "": what the project's own code starts counts for no address.
    """
    if request is None:
        return ""
    return client_address(request) or UNKNOWN


def subject(address: str) -> str:
    """Return what the limit ``ip`` counts by: an IPv4 address, or the /64 network of an IPv6 one.

    A household usually has a whole /64, so it could use a new IPv6 address for each request.
    """
    return _network(address, 64) or address


def network(address: str) -> str:
    """Return the /48 network of an IPv6 address, "" for any other address.

    A customer of a data center often has a whole /48, with 65,536 networks of /64. It is counted
    too, with ten times the rate.
    """
    return _network(address, 48)


def warn_of_missing_proxies(request: HttpRequest | None) -> None:
    """Log, at most once an hour, that requests do not show the addresses of their clients."""
    if request is None:
        return
    if client_address(request) is None and alarms.is_first_in_hour(NO_ADDRESS):
        logger.warning(
            "a request has no client address: all such requests share one limit ip. "
            "Have the web server send X-Forwarded-For, and set TRUSTED_PROXIES"
        )
    proxies, entries = settings.TRUSTED_PROXIES, _forwarded(request)
    if 0 < len(entries) < proxies and alarms.is_first_in_hour(FEW_ENTRIES):
        logger.warning(
            "X-Forwarded-For has fewer entries (%d) than TRUSTED_PROXIES says (%d), so it is "
            "ignored, and all clients of the same proxy share one limit ip. Set TRUSTED_PROXIES to "
            "the number of proxies that add an entry",
            len(entries),
            proxies,
        )
    is_forwarded = "HTTP_X_FORWARDED_FOR" in request.META
    if is_forwarded and not proxies and alarms.is_first_in_hour(FORWARDED):
        logger.warning(
            "a request has the header X-Forwarded-For, but TRUSTED_PROXIES is 0: if a proxy stands "
            "before the site, all its clients share one limit ip. Set TRUSTED_PROXIES to the "
            "number of proxies"
        )


def _forwarded(request: HttpRequest) -> list[str]:
    """Return the entries of X-Forwarded-For."""
    entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return [entry.strip() for entry in entries if entry.strip()]


@lru_cache(maxsize=4096)
def _network(address: str, prefix: int) -> str:
    """Return the network of an IPv6 address; "" where the address is none."""
    try:
        return str(ipaddress.IPv6Network((address, prefix), strict=False))
    except ValueError:
        return ""


def canonical(text: str) -> str | None:
    """Return the address in ``text`` without port, brackets and zone; None where there is none.

    An IPv4 address that is written as an IPv6 one, as in ``::ffff:192.0.2.1``, is the IPv4 address.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or parsed)
