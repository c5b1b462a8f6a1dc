"""The address of the client behind trusted proxies, and the network that its limits count."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import RequestFactory

from django_voicepassword.limits import client_ip


@pytest.mark.parametrize(
    ("proxies", "direct", "forwarded", "address"),
    [
        (0, "192.0.2.1", "", "192.0.2.1"),
        # Anybody can send the header, so it is ignored without a trusted proxy.
        (0, "192.0.2.1", "198.51.100.1", "192.0.2.1"),
        (1, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (1, "10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        (2, "10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (2, "10.0.0.1", "198.51.100.1", "10.0.0.1"),
        (1, "10.0.0.1", "unknown", "10.0.0.1"),
        (1, "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        (1, "10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        (0, "2001:DB8:0:0::1", "", "2001:db8::1"),
        (0, "::ffff:192.0.2.1", "", "192.0.2.1"),
        (0, "fe80::1%eth0", "", "fe80::1"),
        (0, "", "", None),
    ],
)
def test_only_headers_of_trusted_proxies_are_read(
    configure: Callable[..., None], proxies: int, direct: str, forwarded: str, address: str | None
) -> None:
    configure(TRUSTED_PROXIES=proxies)
    request = RequestFactory().get("/", REMOTE_ADDR=direct, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_ip.client_address(request) == address


def test_ipv6_addresses_are_counted_by_their_64_network() -> None:
    assert (
        client_ip.subject("2001:db8:1:2:3:4:5:6")
        == client_ip.subject("2001:db8:1:2::1")
        == "2001:db8:1:2::/64"
    )
    assert client_ip.subject("2001:db8:1:3::1") != client_ip.subject("2001:db8:1:2::1")
    assert client_ip.subject("192.0.2.1") == "192.0.2.1"
    assert client_ip.client_address(None) is None
