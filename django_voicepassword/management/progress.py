"""How far a long command is: one line on a terminal, which is written over."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from django.core.management.base import OutputWrapper
from django.utils.formats import number_format

if TYPE_CHECKING:
    from typing_extensions import Self


class Progress:
    """Use as ``with Progress(self.stderr) as progress: progress.show("2 of 3 rows")``.

    Nothing is written where the stream is no terminal. The line ends with the block, also after an
    error, so that what follows begins on a line of its own. Unless it ``is_kept``, it is wiped.
    """

    def __init__(self, stream: OutputWrapper, is_kept: bool = True) -> None:
        self._stream = stream
        self._is_kept = is_kept
        self._is_shown = stream.isatty()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._width:
            return
        if self._is_kept:
            self._stream.write("")
        else:
            self.show("")
            self._stream.write("\r", ending="")
        self._width = 0

    def show(self, text: str) -> None:
        """Write ``text`` over what was shown before."""
        if self._is_shown:
            # Standard error is red on a terminal, and this is no error.
            self._stream.write(f"\r{text.ljust(self._width)}", str, ending="")
            self._stream.flush()
            self._width = len(text)


def number(value: int) -> str:
    """A number with its thousands grouped as the active language does it."""
    return str(number_format(value, force_grouping=True))
