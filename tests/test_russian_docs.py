"""The Russian pages keep in step with the English ones.

``docs/ru/`` has the Russian page of the same name, and ``README.ru.md`` is the Russian README.md.
What both have in common is compared; the prose is up to the translator. The samples of the Russian
pages are not executed: they are those of the English pages, but for their comments.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from os.path import relpath
from urllib.parse import unquote

import pytest

from tests.docs_samples.collect import ROOT, samples
from tests.docs_samples.reference import anchors, broken, codes, links, text
from tests.russian import SLIPS

pytestmark = pytest.mark.any_version

#: Russian page -> the English page that it translates.
PAGES = {
    "README.ru.md": "README.md",
    **{
        f"docs/ru/{path.name}": f"docs/{path.name}"
        for path in sorted((ROOT / "docs" / "ru").glob("*.md"))
    },
}
#: For developers of the package; these are in English alone.
NOT_TRANSLATED = {"architecture.md", "benchmarks.md", "scaling.md"}
RUSSIAN = {english: russian for russian, english in PAGES.items()}
#: Language of a sample -> its comments.
COMMENTS = {
    "console": r" {2,}# .*$",
    "css": r" */\*.*?\*/",
    "html": r" *(\{#.*?#\}|<!--.*?-->)",
    "ini": r"^#(?! /etc/).*$",
    "js": r"\s+// .*$",
    "nginx": r"^ *#.*$",
    "python": r"(^|\s+)#.*$",
    "sh": r"(^|\s+)#.*$",
}
#: Stands behind a link to a page that exists in English alone.
ENGLISH_ONLY = "\u00a0(англ.)"


@dataclass
class Section:
    """A heading and what stands below it, up to the next one."""

    title: str
    level: int
    #: The texts in backticks, and the same for each row of its tables.
    codes: set[str] = field(default_factory=set)
    rows: list[list[str]] = field(default_factory=list)
    items: int = 0
    #: The pictures, in Russian where there is one in Russian.
    images: list[str] = field(default_factory=list)


def _sections(page: str) -> list[Section]:
    found = [Section("(the head)", 0)]
    for block in _blocks(page):
        if heading := re.match(r"(#+) (.*)", block):
            found.append(Section(heading[2], len(heading[1])))
        section = found[-1]
        section.codes |= set(codes(block))
        section.items += bool(re.match(r"([-*]|\d+\.) ", block))
        section.images += [_picture(name) for name in re.findall(r"[\w.-]+\.png", block)]
        if block.startswith("|"):
            section.rows.append(sorted(set(codes(block))))
    return found


def _picture(name: str) -> str:
    russian = re.sub(r"(\.ru)?\.png$", ".ru.png", name)
    return russian if (ROOT / "docs" / "images" / russian).exists() else name


def _blocks(page: str) -> list[str]:
    """Return the headings, paragraphs, list items and table rows, each in a single line."""
    prose = re.sub(r"^( *)```.*?^\1```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
    blocks = re.split(r"\n(?=\n|[#|]| *(?:[-*]|\d+\.) )", prose)
    return [re.sub(r"\s*\n\s*", " ", block).strip() for block in blocks]


def _samples(page: str) -> list[tuple[str, str]]:
    """Return language and text of each sample, without its comments."""
    return [
        (
            sample.language,
            re.sub(COMMENTS.get(sample.language, r"$^"), "", sample.text, flags=re.MULTILINE),
        )
        for sample in samples(page)
    ]


def _expected(english: str, russian: str, address: str) -> str:
    """Return where the Russian page must link to where the English one links to ``address``."""
    if re.match(r"[a-z]+:", address):
        return address
    path, _, anchor = unquote(address).partition("#")
    target = (ROOT / english).parent / path if path else ROOT / english
    name = relpath(target.resolve(), ROOT)
    translated = RUSSIAN.get(name, name)
    if anchor and translated != name:
        mine, theirs = anchors(translated), anchors(name)
        assert len(mine) == len(theirs), f"{translated} has not the headings of {name}"
        anchor = mine[theirs.index(anchor)]
    path = "" if translated == russian else relpath(ROOT / translated, (ROOT / russian).parent)
    return f"{path}#{anchor}" if anchor else path


def _addresses(page: str, other_language: str) -> list[str]:
    """Return the addresses of the links of a page, without the switch of the language."""
    switch = relpath(ROOT / other_language, (ROOT / page).parent)
    return [unquote(address) for _line, address in links(page) if address != switch]


pairs = pytest.mark.parametrize(("russian", "english"), list(PAGES.items()), ids=list(PAGES))


def test_every_page_for_users_is_in_russian() -> None:
    english = {path.name for path in (ROOT / "docs").glob("*.md")}
    russian = {path.name for path in (ROOT / "docs" / "ru").glob("*.md")}
    assert english - russian == NOT_TRANSLATED, "a new page needs its translation in docs/ru/"


@pairs
def test_the_sections_are_the_same(russian: str, english: str) -> None:
    mine, theirs = _sections(russian), _sections(english)
    advice = f"bring {russian} in step with {english}"
    assert [section.level for section in mine] == [section.level for section in theirs], advice
    for section, original in zip(mine, theirs, strict=True):
        where = f"{advice}: section “{original.title}”, “{section.title}”"
        assert section.rows == original.rows, f"{where}: the rows of the tables"
        assert section.codes == original.codes, f"{where}: the texts in backticks"
        assert section.items == original.items, f"{where}: the number of list items"
        assert section.images == original.images, f"{where}: the pictures"


@pairs
def test_the_samples_are_the_same_but_for_comments(russian: str, english: str) -> None:
    assert _samples(russian) == _samples(english), f"copy the samples of {english} to {russian}"


@pairs
def test_the_links_lead_to_the_same_places(russian: str, english: str) -> None:
    theirs = [_expected(english, russian, address) for address in _addresses(english, russian)]
    missing = Counter(theirs) - Counter(_addresses(russian, english))
    unexpected = Counter(_addresses(russian, english)) - Counter(theirs)
    assert not missing, f"{russian} needs these links of {english}"
    assert not unexpected, f"{russian} has links that {english} has not"
    assert not broken(russian)


@pairs
def test_a_link_says_that_its_page_is_in_english_alone(russian: str, english: str) -> None:
    for address, mark in re.findall(rf"\]\(([^)\s]+)\)({re.escape(ENGLISH_ONLY)})?", text(russian)):
        path = address.partition("#")[0]
        name = relpath(((ROOT / russian).parent / path).resolve(), ROOT)
        is_switch = name == english
        needs_mark = path.endswith(".md") and name not in PAGES and not is_switch
        assert bool(mark) == needs_mark, f"{russian}: {address}"


@pairs
def test_each_page_leads_to_the_other_language(russian: str, english: str) -> None:
    to_english = relpath(ROOT / english, (ROOT / russian).parent)
    to_russian = relpath(ROOT / russian, (ROOT / english).parent)
    assert f"\n\n[English]({to_english}) · Русский\n\n" in text(russian)
    assert f"\n\nEnglish · [Русский]({to_russian})\n\n" in text(english)


@pytest.mark.parametrize("rule", SLIPS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_keeps_the_rules_of_typography(page: str, rule: str) -> None:
    texts = [re.sub(r"`[^`]*`|<[^>]*>", "", block) for block in _blocks(page)]
    assert [block for block in texts if SLIPS[rule].search(block)] == [], rule
