"""Where a request came from, told only by proxies that the owner trusts."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

from django_voicepassword.conf import settings


def client_address(request: HttpRequest | None) -> str | None:
    """The client's IP address in its canonical spelling, or None where there is none (a unix
    socket, a command).

    Behind N = TRUSTED_PROXIES the N-th entry of X-Forwarded-For from the right is the address that
    the outermost trusted proxy saw. What stands further left was sent by the client, who may write
    anything there.
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
    """What a limit counts by: an IPv4 address, or the /64 of an IPv6 one (a household has a whole
    /64).
    """
    parsed = ipaddress.ip_address(address)
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _canonical(text: str) -> str | None:
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
