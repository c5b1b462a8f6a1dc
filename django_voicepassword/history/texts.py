"""What a text that somebody searches for is, beside a number: an address, an id."""

from __future__ import annotations

from uuid import UUID

from django_voicepassword.limits import client_ip


def client_address(text: str) -> str:
    """Return the address ``text`` as the limits count it; "" where it is none.

    Logs of web servers write addresses with a port, or IPv4 ones as IPv6.
    """
    return client_ip.canonical(clean(text)) or ""


def clean(text: str) -> str:
    """Return the text without characters that a database may refuse, such as NUL; cut to 200."""
    return (
        "".join(character for character in text[:200] if character.isprintable())
        .encode(errors="ignore")
        .decode()
        .strip()
    )


def uuid_of(text: str) -> UUID | None:
    """Return the UUID that ``text`` is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
