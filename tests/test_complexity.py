"""No function is too complex to read.

Ruff's C901 (pyproject.toml) counts branches. This count adds boolean operands, conditional
expressions, comprehensions and assertions, which take a reader just as long.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.any_version

ROOT = Path(__file__).parents[1]
MOST = 15
BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.Assert,
    ast.match_case,
)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield every node of a function, without those of the functions and classes inside it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, DEFINITIONS):
            yield node
            yield from _nodes(node)


def _decisions(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return int(isinstance(node, BRANCHES))


def complexity(function: ast.AST) -> int:
    return 1 + sum(map(_decisions, _nodes(function)))


def test_every_kind_of_decision_counts_one() -> None:
    source = """
def outer(value):
    assert value
    def inner():
        return 1 if value else 2
    for number in [item for item in value if item and item > 1]:
        try:
            while number or value:
                break
        except ValueError:
            return inner
"""
    outer = ast.parse(source).body[0]
    # 1, assert, for, comprehension and its if, and, while, or, except.
    assert complexity(outer) == 9


@pytest.mark.parametrize(
    "folder", ["django_voicepassword", "tests", "benchmarks", "example_project"]
)
def test_no_function_has_more_than_15_decisions(folder: str) -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {complexity(node)}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and complexity(node) > MOST
    ]
    assert not offenders, f"split these functions, at most {MOST}:\n" + "\n".join(offenders)
