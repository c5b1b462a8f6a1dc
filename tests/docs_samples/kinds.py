"""What a sample is, by its language and its text; and the files that a Python sample consists of."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tests.docs_samples.collect import Sample

#: Languages that say by themselves what a sample is.
_BY_LANGUAGE = {
    "sh": "shell",
    "console": "shell",
    "json": "json",
    "yaml": "yaml",
    "nginx": "nginx",
    "html": "template",
    "css": "style",
    "js": "script",
}
#: Plain text is told by how it begins.
_BY_BEGINNING = {
    "default-src ": "policy",
    "VoicePasswordError\n": "tree",
    "manage.py ": "synopsis",
    "floor ": "floors",
}
_FILE = re.compile(r"^# ([\w./-]+\.py)$", re.MULTILINE)
#: Where a file lies that a page names without its folder.
_SHORT = {"settings.py": "mysite/settings.py", "urls.py": "mysite/urls.py"}


@dataclass(frozen=True)
class Piece:
    """A file of a sample, or what is to be added to it. ``line`` is that of its first line in the
    page.
    """

    path: str
    line: int
    text: str


def kind_of(sample: Sample) -> str:
    """One of the kinds; raises AssertionError, with what to do, for what is none."""
    if sample.language == "python":
        return "files" if pieces_of(sample) else "program"
    if sample.language == "ini":
        return "unit" if "[Service]" in sample.text else "environment"
    if sample.language == "text":
        kinds = [
            kind for beginning, kind in _BY_BEGINNING.items() if sample.text.startswith(beginning)
        ]
        if kinds:
            return kinds[0]
    if sample.language in _BY_LANGUAGE:
        return _BY_LANGUAGE[sample.language]
    raise sample.fail(
        f"a sample in {sample.language or 'no language'!r} is executed by nothing: write one of python, ini, "
        f"{', '.join(_BY_LANGUAGE)} behind its fence, or teach tests/docs_samples/kinds.py what it is"
    )


def pieces_of(sample: Sample) -> list[Piece]:
    """The files of a Python sample: named by comments, or settings or urls by their looks; none: it
    is a program.
    """
    heads = list(_FILE.finditer(sample.text))
    if heads:
        ends = [*(head.start() for head in heads[1:]), len(sample.text)]
        return [
            _piece(sample, head[1], head.start(), sample.text[head.start() : end])
            for head, end in zip(heads, ends, strict=True)
        ]
    body = _parse(sample)
    if all(_is_setting(statement) for statement in body):
        return [_piece(sample, "settings.py", 0, sample.text)]
    if any(_is_route(statement) for statement in body):
        return [_piece(sample, "urls.py", 0, sample.text)]
    return []


def _piece(sample: Sample, path: str, start: int, text: str) -> Piece:
    line = sample.line + sample.text[:start].count("\n")
    return Piece(
        _SHORT.get(path, path), line, _as_routes(text) if path.endswith("urls.py") else text
    )


def _parse(sample: Sample) -> list[ast.stmt]:
    try:
        return ast.parse(sample.text).body
    except SyntaxError as error:
        raise AssertionError(
            f"{sample.page}:{sample.line + (error.lineno or 1) - 1}: {error.msg}"
        ) from None


def _is_setting(statement: ast.stmt) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return True
    targets = (
        statement.targets
        if isinstance(statement, ast.Assign)
        else [getattr(statement, "target", None)]
    )
    return all(isinstance(target, ast.Name) and target.id.isupper() for target in targets)


def _is_route(statement: ast.stmt) -> bool:
    """``path(…)`` by itself, as in the middle of ``urlpatterns``; a comma may follow."""
    if not isinstance(statement, ast.Expr):
        return False
    values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
    return all(
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in ("path", "re_path")
        for value in values
    )


def _as_routes(text: str) -> str:
    """The same lines, with every ``path(…)`` that stands by itself put into ``urlpatterns``."""
    lines = text.splitlines()
    for statement in ast.parse(text).body:
        if _is_route(statement):
            first, last = statement.lineno - 1, (statement.end_lineno or 1) - 1
            lines[first] = f"urlpatterns += [{lines[first]}"
            comment = lines[last].find("  #")
            code = lines[last] if comment < 0 else lines[last][:comment]
            lines[last] = f"{code.rstrip()}]"
    return "\n".join(lines) + "\n"
