"""The form of what somebody must do now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What is wrong, the gravest first."""

    ACCOUNT = "account"
    QUEUE = "queue"
    BEAT = "beat"
    OUTAGE = "outage"
    ATTACK = "attack"
    MONEY = "money"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Need:
    """Something that somebody must do, in the active language.

    ``text`` says what is wrong, ``advice`` what to do about it; both are whole sentences.
    ``is_grave``: meanwhile people get no code, or get it late.
    """

    kind: Kind
    text: str
    advice: str
    is_grave: bool = False
