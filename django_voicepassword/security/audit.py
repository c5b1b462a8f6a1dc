"""Who looked at whole numbers: one line of the log ``django_voicepassword.audit`` each time, never
the numbers.
"""

from __future__ import annotations

import logging
from typing import Any

#: The name is public: projects route this log to a file of its own.
logger = logging.getLogger("django_voicepassword.audit")


def whole_numbers_seen(user: Any, where: str, rows: int) -> None:
    """Note that ``user`` was shown ``rows`` whole numbers at ``where`` (``call list``, ``call 12``,
    ``export``).

    ``user`` is None for somebody at the command line.
    """
    logger.info("user %s saw %s whole numbers: %s", getattr(user, "pk", None), rows, where)
