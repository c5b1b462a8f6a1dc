"""The subjects that counters count for, told by a number and an address.

A counter is named by what it counts and by its subject: ``ip:192.0.2.1``. What a call keeps of the
counters that counted it is their names alone (``CallRequest.counted``); ``subject_of`` finds the
subjects again.
"""

from __future__ import annotations

from django_voicepassword import phones
from django_voicepassword.limits import client_ip
from django_voicepassword.limits.guard.subjects import block_of, network_of

#: What is added to the name of a counter whose subject is a network of many addresses.
NETWORK = "_network"
#: What is added to the name of a counter of sends for which a challenge was solved.
SOLVED = "_solved"
#: What precedes the names of the counters of long codes, before the kind of the trip's subject.
LONG = "long_"

#: The counters of a send that count for its number alone: an approval does not give them back.
NUMBER = frozenset({"phone", "device", f"phone{SOLVED}"})


def subject_of(name: str, phone: str, address: str) -> str:
    """Return the subject of the counter ``name`` for a send to ``phone`` from ``address``."""
    if name.startswith(LONG):
        return _long_subject(name.removeprefix(LONG), phone, address)
    counter = name.removesuffix(SOLVED)
    if counter == "ip":
        return client_ip.subject(address)
    if counter == f"ip{NETWORK}":
        return client_ip.network(address)
    if counter in ("prefix", "block"):
        return block_of(phone)
    return "" if counter == "site" else phone


def _long_subject(name: str, phone: str, address: str) -> str:
    """Return the subject of a counter of long codes.

    ``name`` is the kind of the trip's subject; with NETWORK it is that subject seen from one
    network.
    """
    kind = name.removesuffix(NETWORK)
    subject = {
        "block": block_of(phone),
        "prefix": phones.operator_prefix(phone),
        "network": network_of(address),
    }.get(kind, "")
    return subject if kind == name else f"{subject}:{network_of(address)}"


def guess_subjects(phone: str, address: str) -> dict[str, str]:
    """Return the counters of one wrong guess for a number of TEST_NUMBERS: name -> subject.

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
