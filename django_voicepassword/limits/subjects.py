"""Which limits a send or a guess counts against, and for whom."""

from __future__ import annotations

from django_voicepassword.limits import client_ip

#: What is added to the name of a limit for its subject that is a network of many addresses.
NETWORK = "_network"


def send_subjects(phone: str, address: str, is_proven: bool = False) -> dict[str, str]:
    """Return the limits that count one send to ``phone`` for a client: limit name -> subject.

    ``address`` is what ``client_ip.counted_address`` returns. A send of the proven lane counts for
    the number alone.
    """
    if is_proven:
        return {"phone": phone}
    crowd = {"prefix": phone[:-4], "site": "", **address_subjects("ip", address)}
    return {"phone": phone, **crowd}


def guess_subjects(phone: str, address: str) -> dict[str, str]:
    """Return the limits that count one wrong guess for a number of TEST_NUMBERS from ``address``.

    Number and address count together, so that strangers do not lock a reviewer out.
    """
    subjects = address_subjects("phone_guesses", address) or {"phone_guesses": ""}
    return {name: f"{phone}:{subject}" for name, subject in subjects.items()}


def address_subjects(limit: str, address: str) -> dict[str, str]:
    """Return the subjects of ``limit`` for an address; none where ``address`` is empty."""
    if not address:
        return {}
    subjects = {limit: client_ip.subject(address)}
    network = client_ip.network(address)
    return {**subjects, f"{limit}{NETWORK}": network} if network else subjects
