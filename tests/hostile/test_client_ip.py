"""Client addresses and proxy headers from strangers: an address, or None."""

from __future__ import annotations

from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from django_voicepassword.limits import client_ip
from tests.hostile import strategies as hostile


@hostile.thorough
@given(hostile.texts, hostile.texts, st.integers(0, 3))
def test_an_address_is_read_or_none(direct: str, forwarded: str, proxies: int) -> None:
    request = RequestFactory().get("/")
    request.META |= {"REMOTE_ADDR": direct, "HTTP_X_FORWARDED_FOR": f"{forwarded},{direct}"}
    address = client_ip.client_address(request)
    if address is not None:
        assert client_ip.subject(address)
