"""What other apps learn of a failed login by phone."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any


def shorten_verification(credentials: MutableMapping[str, Any], **kwargs: object) -> None:
    """Leave only the beginning of the verification's id in what ``user_login_failed`` sends.

    The id is a bearer secret, and receivers write the credentials into logs and tables. Django
    masks the code itself. All receivers get the same mapping: connect this one before the others.
    """
    verification = credentials.get("verification")
    if verification is not None and "voicepassword_code" in credentials:
        # An id, or a row.
        credentials["verification"] = str(getattr(verification, "pk", verification))[:8]
