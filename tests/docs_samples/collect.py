"""Fences of Markdown pages, each with the file and the line that a failing test names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sample:
    """``line`` is that of the first line of ``text`` in the page; ``language`` is what stands
    behind the fence.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    def fail(self, message: str) -> AssertionError:
        """An error that names file and line, where the message does not do so already."""
        return AssertionError(
            message if message.startswith(self.page) else f"{self.where}: {message}"
        )


@lru_cache
def pages() -> list[str]:
    """The pages by their paths, README.md first."""
    return [
        "README.md",
        *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    ]


@lru_cache
def samples(page: str) -> list[Sample]:
    """Every block of code of a page, in its order; directives of Sphinx are none."""
    tokens = MarkdownIt("commonmark").parse((ROOT / page).read_text())
    found = []
    for token in tokens:
        if token.type == "fence" and not token.info.startswith("{"):
            found.append(Sample(page, (token.map or [0])[0] + 2, token.info.strip(), token.content))
        elif token.type == "code_block":
            found.append(Sample(page, (token.map or [0])[0] + 1, "indented", token.content))
    return found


def all_samples() -> list[Sample]:
    return [sample for page in pages() for sample in samples(page)]
