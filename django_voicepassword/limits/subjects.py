"""Which limits a send or a guess counts against: those of the number, or of a trusted device.

A trusted device is one that proved the number before.
"""

from __future__ import annotations

from django_voicepassword.limits import client_ip


def send_subjects(phone: str, ip: str | None, device: str = "") -> dict[str, str]:
    """Return the limits that count one send to ``phone`` for the client ``ip``: name -> subject.

    With ``device``, the limits of that trusted device take the place of the number's.
    """
    subjects = {"prefix": phone[:-4], "site": ""}
    subjects |= {"device_sends": f"{device}:{phone}"} if device else {"phone": phone}
    if ip:
        subjects["ip"] = client_ip.subject(ip)
    return subjects
