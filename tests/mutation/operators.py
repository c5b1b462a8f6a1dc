"""The mutants of a module: operators of Cosmic Ray, one replacement each, and six more.

Changes that no test could notice are left out: annotations, docstrings, log lines, messages of
exceptions, names of types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.boolean_replacer import AddNot
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Keyword, String

#: Cosmic Ray replaces ``+`` by each of eleven operators; one is enough. For ``<`` two are used: the
#: one that includes the bound, and the opposite.
LIBRARY = (
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "ZeroIterationForLoop",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_Delete_USub",
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_FloorDiv",
    "ReplaceBinaryOperator_Div_Mul",
    "ReplaceBinaryOperator_FloorDiv_Mul",
    "ReplaceBinaryOperator_Mod_Mul",
    "ReplaceBinaryOperator_Pow_Mul",
    "ReplaceBinaryOperator_BitOr_BitAnd",
    "ReplaceBinaryOperator_BitAnd_BitOr",
    "ReplaceComparisonOperator_Eq_NotEq",
    "ReplaceComparisonOperator_NotEq_Eq",
    "ReplaceComparisonOperator_Lt_LtE",
    "ReplaceComparisonOperator_Lt_GtE",
    "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_LtE_Gt",
    "ReplaceComparisonOperator_Gt_GtE",
    "ReplaceComparisonOperator_Gt_LtE",
    "ReplaceComparisonOperator_GtE_Gt",
    "ReplaceComparisonOperator_GtE_Lt",
    "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_IsNot_Is",
)
AUGMENTED = ("+=", "-=", "|=", "&=", "^=", "*=", "/=")
#: Calls whose texts are for type checkers alone.
_TYPING_CALLS = ("TypeVar", "ParamSpec", "cast")
_OPENING = re.compile(r"[A-Za-z]*(?:\"\"\"|'''|\"|')")


class _OwnOperator(Operator):
    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class SwapIn(_OwnOperator):
    """Swaps ``in`` and ``not in``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "comparison" and _words(node.children[1]) in ("in", "not in"):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        other = "not in" if _words(node.children[1]) == "in" else "in"
        node.children[1] = Keyword(other, node.children[1].start_pos, prefix=" ")
        return node


class SwapFunction(_OwnOperator):
    """Swaps ``min`` and ``max``, ``any`` and ``all``."""

    OTHERS = {"min": "max", "max": "min", "any": "all", "all": "any"}

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "name" and node.value in self.OTHERS:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        node.value = self.OTHERS[node.value]
        return node


class RemoveStatement(_OwnOperator):
    """Removes a call whose result is unused, a ``raise``, ``x += 1``, ``x[y] = z``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "simple_stmt" and self._is_removable(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    @staticmethod
    def _is_removable(statement: Any) -> bool:
        if statement.type == "expr_stmt":
            return (
                statement.children[0].type == "atom_expr"
                or _words(statement.children[1]) in AUGMENTED
            )
        return (
            statement.type in ("raise_stmt", "atom_expr", "keyword", "del_stmt")
            and _words(statement) != "pass"
        )

    def mutate(self, node: Any, index: int) -> Any:
        first = node.get_first_leaf()
        node.children[0] = Keyword("pass", first.start_pos, prefix=first.prefix)
        return node


class ReturnNone(_OwnOperator):
    """Replaces ``return x`` by ``return None``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "return_stmt" and _words(node.children[1]) != "None":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        node.children[1] = Keyword("None", node.children[1].start_pos, prefix=" ")
        return node


class RemoveKeyword(_OwnOperator):
    """Replaces ``f(x, y=z)`` by ``f(x)``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        for argument in self._keywords(node):
            yield argument.start_pos, argument.end_pos

    @staticmethod
    def _keywords(node: Any) -> list[Any]:
        if node.type not in ("arglist", "trailer", "decorator"):
            return []
        return [
            child
            for child in node.children
            if child.type == "argument" and _words(child.children[1]) == "="
        ]

    def mutate(self, node: Any, index: int) -> Any:
        at = node.children.index(self._keywords(node)[index])
        # With the comma after it. The comma before the last argument stays, which is valid.
        has_comma = node.type == "arglist" and at + 1 < len(node.children)
        del node.children[at : at + (2 if has_comma else 1)]
        return node


class ChangeText(_OwnOperator):
    """Replaces ``"x"`` by ``"XXx"``, in f-strings too."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type in ("string", "fstring_start") and not _is_docstring(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        opening = _OPENING.match(node.value)
        assert opening is not None
        text = f"{opening[0]}XX{node.value[opening.end() :]}"
        if node.type == "string":
            return String(text, node.start_pos, prefix=node.prefix)
        node.value = text
        return node


OWN = (SwapIn, SwapFunction, RemoveStatement, ReturnNone, RemoveKeyword, ChangeText)


@dataclass(frozen=True)
class Mutant:
    """A module with one change. ``before`` and ``after``: the lines that differ, joined."""

    line: int
    definition: str
    before: str
    after: str
    code: str


def mutants(source: str) -> list[Mutant]:
    """Return every mutant of a module that a test could notice, each once."""
    provider = OperatorProvider()
    operators = [*(provider[name]() for name in LIBRARY), *(own() for own in OWN)]
    by_code: dict[str, Mutant] = {}
    line = 0
    pieces = [node.get_code() for node in get_ast(source).children]
    # One top-level statement at a time: parsing the whole module for each change would take longer
    # than the tests.
    for index, piece in enumerate(pieces):
        for operator in operators:
            for node, start, changed in _changes(piece, operator):
                code = "".join([*pieces[:index], changed, *pieces[index + 1 :]])
                before, after = _difference(piece, changed)
                mutant = Mutant(line + start[0], _definition(node), before, after, code)
                by_code.setdefault(code, mutant)
        line += piece.count("\n")
    return sorted(by_code.values(), key=lambda mutant: mutant.line)


def _changes(piece: str, operator: Any) -> Iterator[tuple[Any, tuple[int, int], str]]:
    """Yield the node, its position and the changed text for each use of an operator."""
    places = [
        (node, start)
        for node in ast_nodes(get_ast(piece))
        for start, _ in operator.mutation_positions(node)
    ]
    for occurrence, (node, start) in enumerate(places):
        if _is_unnoticeable(node, start):
            continue
        if isinstance(operator, AddNot) and _has_own_negation(node):
            continue
        try:
            changed = mutate_code(piece, operator, occurrence)
        except AttributeError:
            # Cosmic Ray cannot replace a dotted name in ``except (module.Error, …)``.
            continue
        if changed not in (None, piece) and _compiles(changed):
            yield node, start, changed


def _has_own_negation(node: Any) -> bool:
    """Return whether another operator negates it: ``not a == b`` is the same as ``a != b``."""
    condition = node.children[2] if node.type == "test" else node.children[1]
    return condition.type in ("comparison", "not_test") and len(condition.children) < 4


def _is_unnoticeable(node: Any, start: tuple[int, int]) -> bool:
    """Return whether no test could notice a change at this place."""
    leaf = node
    if hasattr(node, "children"):
        leaf = node.get_leaf_for_position(start, include_prefixes=True)
    child = leaf
    while child.parent is not None:
        if _is_annotation(child) or _is_in_unnoticeable_statement(child.parent):
            return True
        if leaf.type in ("string", "fstring_start") and _is_unnoticeable_text(leaf, child.parent):
            return True
        child = child.parent
    return False


def _is_annotation(node: Any) -> bool:
    parent = node.parent
    if parent.type == "annassign":
        return node is parent.children[1]
    if parent.type == "tfpdef":
        return node is parent.children[-1]
    return parent.type == "funcdef" and _words(node.get_previous_sibling() or node) == "->"


def _is_in_unnoticeable_statement(parent: Any) -> bool:
    """Return whether it is a log line, ``__all__`` or the definition of a type variable."""
    if parent.type != "simple_stmt":
        return False
    code = parent.get_code().strip()
    return bool(re.match(r"logger\.|__all__|\w+ = (TypeVar|ParamSpec)\(", code))


def _is_unnoticeable_text(leaf: Any, parent: Any) -> bool:
    """Return whether a text is a type for ``cast``, or the message of an exception."""
    if parent.type == "atom_expr":
        return _words(parent.children[0]) in _TYPING_CALLS
    if parent.type == "raise_stmt":
        return " " in _whole_text(leaf) or "AssertionError" in parent.get_code()
    return False


def _whole_text(leaf: Any) -> str:
    return str((leaf.parent if leaf.type == "fstring_start" else leaf).get_code())


def _is_docstring(node: Any) -> bool:
    """Return whether a text is a statement of its own."""
    return node.parent.type in ("simple_stmt", "file_input")


def _words(node: Any) -> str:
    return " ".join(node.get_code().split())


def _definition(node: Any) -> str:
    names = []
    while node is not None:
        if node.type in ("funcdef", "classdef"):
            names.append(node.name.value)
        node = node.parent
    return ".".join(reversed(names))


def _compiles(code: str) -> bool:
    try:
        compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _difference(source: str, code: str) -> tuple[str, str]:
    """Return the lines that differ, joined."""
    old, new = source.splitlines(), code.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return " ".join(" ".join(old).split()), " ".join(" ".join(new).split())
