"""The kind of a sample, by its language and text; and the files of a Python sample."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tests.docs_samples.collect import Sample

#: Language -> kind, where the language is enough.
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
#: First words of a plain text -> kind.
_BY_BEGINNING = {
    "default-src ": "policy",
    "VoicePasswordError\n": "tree",
    "manage.py ": "synopsis",
    "floor ": "floors",
}
_FILE = re.compile(r"^# ([\w./-]+\.py)$", re.MULTILINE)
#: Files that a page names without their folder.
_SHORT = {"settings.py": "mysite/settings.py", "urls.py": "mysite/urls.py"}


@dataclass(frozen=True)
class Piece:
    """A file of a sample, or lines to add to it. ``line``: of its first line in the page."""

    path: str
    line: int
    text: str


def kind_of(sample: Sample) -> str:
    """Return the kind of a sample; AssertionError, with advice, for an unknown one."""
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
        f"nothing executes a sample in {sample.language or 'no language'!r}: write one of"
        f" python, ini, {', '.join(_BY_LANGUAGE)} at its fence, or add the kind to"
        " tests/docs_samples/kinds.py"
    )


def pieces_of(sample: Sample) -> list[Piece]:
    """Return the files of a Python sample; an empty list for a program.

    Comments name the files. Settings and URL patterns are recognized without a comment.
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
    """Return whether it is ``path(…)`` by itself, as inside of ``urlpatterns``."""
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
    """Add every ``path(…)`` that stands by itself to ``urlpatterns``, keeping line numbers."""
    lines = text.splitlines()
    for statement in ast.parse(text).body:
        if _is_route(statement):
            first, last = statement.lineno - 1, (statement.end_lineno or 1) - 1
            lines[first] = f"urlpatterns += [{lines[first]}"
            comment = lines[last].find("  #")
            code = lines[last] if comment < 0 else lines[last][:comment]
            lines[last] = f"{code.rstrip()}]"
    return "\n".join(lines) + "\n"
