"""The clock of the provider's server, by the header Date. Needs no Django.

The request has no API key and asks for nothing.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import requests

from django_voicepassword.provider import http_session


def seconds_ahead(url: str, timeout: tuple[float, float]) -> float | None:
    """How many seconds the server's clock is ahead of ours; negative where it is behind.

    None where it does not answer, or does not say. The header has whole seconds.
    """
    before = time.time()
    try:
        with http_session.make_session() as session:
            response = session.head(url, timeout=timeout, allow_redirects=False)
            date = parsedate_to_datetime(response.headers["Date"])
    except (requests.RequestException, KeyError, ValueError, TypeError):
        return None
    # It was that second for a half on average, and half of the time went by on the way back.
    return date.timestamp() + 0.5 - (before + time.time()) / 2
