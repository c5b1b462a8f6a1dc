"""The command lines of a sample, and the comparison of their output with the page."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from tests.docs_samples.collect import Sample

_ASSIGNMENT = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)
#: An abbreviated random value, such as ``3f2a…``.
_BEGINNING = re.compile(r"\b[0-9a-f]{4,8}…")
#: Text that differs from run to run: numbers and random values.
_VARIES = re.compile(r"(?<![^\W\d_])[0-9a-f]{12,}(?![^\W\d_])|\d+")


@dataclass(frozen=True)
class Command:
    """A command. ``words``: without assignments; ``shown``: its output in the page, or None."""

    line: int
    words: list[str]
    environment: dict[str, str]
    is_background: bool
    shown: str | None


def commands_of(sample: Sample) -> list[Command]:
    """Return the commands of a sample: ``console``: the lines after ``$``; ``sh``: every line."""
    commands: list[Command] = []
    for line, text, shown in _lines(sample):
        try:
            parts = _split(text)
        except ValueError as error:
            raise AssertionError(f"{sample.page}:{line}: {error}") from None
        commands += [
            _command(line, words, shown if number == len(parts) else None)
            for number, words in enumerate(parts, start=1)
        ]
    if not commands:
        raise sample.fail("no command: in a console sample it follows '$ '")
    return commands


def fits(shown: str, output: str) -> bool:
    """Return whether an output looks as the page shows it.

    In the page ``…`` stands for any text, on a line of its own for any lines; a number stands for
    any number.
    """
    parts = _BEGINNING.sub("…", _framed(shown)).split("\n…\n")
    pattern = "\\n(?:.*\\n)?".join(".*".join(map(_pattern, part.split("…"))) for part in parts)
    return re.fullmatch(pattern, _framed(output), re.DOTALL) is not None


def _pattern(text: str) -> str:
    """Return a regular expression for a text without ellipses."""
    parts = _VARIES.split(text)
    varying = [
        "[0-9a-f]+" if len(value) >= 12 and not value.isdigit() else r"\d+"
        for value in _VARIES.findall(text)
    ]
    return "".join(re.escape(part) + kind for part, kind in zip(parts, [*varying, ""], strict=True))


def _framed(text: str) -> str:
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "\n".join(["", *lines, ""])


def _lines(sample: Sample) -> list[tuple[int, str, str | None]]:
    """Return line, command and shown output of each command line."""
    commands: list[tuple[int, str, list[str]]] = []
    continued = False
    for number, text in enumerate(sample.text.splitlines(), start=sample.line):
        starts = (
            text.startswith("$ ")
            if sample.language == "console"
            else bool(text.strip()) and not text.startswith("#")
        )
        if continued:
            line, command, output = commands.pop()
            commands.append((line, f"{command.removesuffix(chr(92))}{text.strip()}", output))
        elif starts:
            commands.append(
                (number, text.removeprefix("$ ") if sample.language == "console" else text, [])
            )
        elif commands:
            commands[-1][2].append(text)
        continued = bool(commands) and commands[-1][1].endswith("\\") and not commands[-1][2]
    shows = sample.language == "console"
    return [
        (line, command, "\n".join(output) if shows and "".join(output).strip() else None)
        for line, command, output in commands
    ]


def _split(text: str) -> list[list[str]]:
    """Split a line into its commands, without the comment at its end."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="&")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if word == "&&":
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _command(line: int, words: list[str], shown: str | None) -> Command:
    environment = {}
    while words and (match := _ASSIGNMENT.fullmatch(words[0])):
        environment[match[1]] = match[2]
        words = words[1:]
    is_background = words[-1:] == ["&"]
    return Command(line, words[:-1] if is_background else words, environment, is_background, shown)
