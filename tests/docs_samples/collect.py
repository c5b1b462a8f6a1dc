"""The code blocks of the Markdown pages, each with the file and line that a failing test names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sample:
    """A code block. ``line``: of the first line of ``text``; ``language``: as the fence says."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    def fail(self, message: str) -> AssertionError:
        """Return an error that names file and line, unless the message does so already."""
        return AssertionError(
            message if message.startswith(self.page) else f"{self.where}: {message}"
        )


@lru_cache
def pages() -> list[str]:
    """Return the paths of the pages, README.md first."""
    return [
        "README.md",
        *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    ]


@lru_cache
def samples(page: str) -> list[Sample]:
    """Return every code block of a page in order, without Sphinx directives."""
    tokens = MarkdownIt("commonmark").parse((ROOT / page).read_text())
    blocks = []
    for token in tokens:
        if token.type == "fence" and not token.info.startswith("{"):
            blocks.append(
                Sample(page, (token.map or [0])[0] + 2, token.info.strip(), token.content)
            )
        elif token.type == "code_block":
            blocks.append(Sample(page, (token.map or [0])[0] + 1, "indented", token.content))
    return blocks


def all_samples() -> list[Sample]:
    return [sample for page in pages() for sample in samples(page)]
