"""Which limits a send counts against."""

from __future__ import annotations

from django_voicepassword.limits import client_ip


def send_subjects(phone: str, ip: str | None, device: bool = False) -> dict[str, str]:
    """Return the limits that count one send to ``phone`` for the client ``ip``: name -> subject.

    With ``device``, the limit of all trusted devices of the number together takes the place of the
    number's own.
    """
    subjects = {"prefix": phone[:-4], "site": ""}
    subjects["device" if device else "phone"] = phone
    if ip:
        subjects["ip"] = client_ip.subject(ip)
    return subjects
