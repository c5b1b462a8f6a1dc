"""The client's address, and what the limit ``ip`` counts by. Only trusted proxies are believed."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

from django_voicepassword.conf import settings


def client_address(request: HttpRequest | None) -> str | None:
    """Return the client's IP address in its canonical spelling.

    Return None where there is none: no request (a command), or a request through a Unix socket.

    With TRUSTED_PROXIES = N, the address is the N-th entry of X-Forwarded-For from the right: the
    one that the outermost trusted proxy saw. The entries to its left come from the client, who can
    write anything there.
    """
    if request is None:
        return None
    direct = _canonical(request.META.get("REMOTE_ADDR", ""))
    proxies = settings.TRUSTED_PROXIES
    if not proxies:
        return direct
    entries = [
        entry.strip()
        for entry in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if entry.strip()
    ]
    if len(entries) < proxies:
        return direct
    return _canonical(entries[-proxies]) or direct


def subject(address: str) -> str:
    """Return what the limit ``ip`` counts by: an IPv4 address, or the /64 network of an IPv6 one.

    A household usually has a whole /64, so it could use a new IPv6 address for each request.
    """
    parsed = ipaddress.ip_address(address)
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _canonical(text: str) -> str | None:
    """Return the address in ``text`` without port, brackets and zone; None where there is none."""
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
