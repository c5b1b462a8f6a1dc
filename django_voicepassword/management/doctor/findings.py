"""What a probe found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.IntEnum):
    """How bad a finding is, the worst last."""

    #: There is nothing to look at in this project.
    SKIPPED = 0
    FINE = 1
    #: It works, but somebody should look at it.
    WARNING = 2
    #: Something does not work: the command ends with status 1.
    FAULT = 3


@dataclass(frozen=True)
class Finding:
    """One line of the table. ``advice`` is what to do about a warning or a fault.

    The texts are in the active language, without a key, a code or a whole number.
    """

    level: Level
    name: str
    text: str
    advice: str = ""


def fine(name: str, text: str) -> Finding:
    return Finding(Level.FINE, name, text)


def skipped(name: str, text: str) -> Finding:
    return Finding(Level.SKIPPED, name, text)


def warning(name: str, text: str, advice: str) -> Finding:
    return Finding(Level.WARNING, name, text, advice)


def fault(name: str, text: str, advice: str) -> Finding:
    return Finding(Level.FAULT, name, text, advice)
