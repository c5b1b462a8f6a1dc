"""What is changed in a module: operators of Cosmic Ray, one replacement each, and some that it
lacks.

Nothing is changed that no test could see: annotations, docstrings, log lines, sentences of
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

#: Cosmic Ray replaces ``+`` by each of eleven others; one is enough, and for ``<`` the bound and
#: the opposite.
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
_OPENING = re.compile(r"[A-Za-z]*(?:\"\"\"|'''|\"|')")


class _Own(Operator):
    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class SwapIn(_Own):
    """``in`` and ``not in``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "comparison" and _words(node.children[1]) in ("in", "not in"):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        other = "not in" if _words(node.children[1]) == "in" else "in"
        node.children[1] = Keyword(other, node.children[1].start_pos, prefix=" ")
        return node


class SwapFunction(_Own):
    """``min`` and ``max``, ``any`` and ``all``."""

    OTHERS = {"min": "max", "max": "min", "any": "all", "all": "any"}

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "name" and node.value in self.OTHERS:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        node.value = self.OTHERS[node.value]
        return node


class RemoveStatement(_Own):
    """A call whose result nobody takes, a ``raise``, ``x += 1``, ``x[y] = z``."""

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


class ReturnNone(_Own):
    """``return x`` becomes ``return None``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type == "return_stmt" and _words(node.children[1]) != "None":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        node.children[1] = Keyword("None", node.children[1].start_pos, prefix=" ")
        return node


class RemoveKeyword(_Own):
    """``f(x, y=z)`` becomes ``f(x)``."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        for one in self._keywords(node):
            yield one.start_pos, one.end_pos

    @staticmethod
    def _keywords(node: Any) -> list[Any]:
        if node.type not in ("arglist", "trailer", "decorator"):
            return []
        return [
            one
            for one in node.children
            if one.type == "argument" and _words(one.children[1]) == "="
        ]

    def mutate(self, node: Any, index: int) -> Any:
        at = node.children.index(self._keywords(node)[index])
        # With the comma after it: the last one leaves the comma before it, which does no harm.
        has_comma = node.type == "arglist" and at + 1 < len(node.children)
        del node.children[at : at + (2 if has_comma else 1)]
        return node


class ChangeText(_Own):
    """``"x"`` becomes ``"XXx"``, in f-strings too."""

    def mutation_positions(self, node: Any) -> Iterator[Any]:
        if node.type in ("string", "fstring_start") and not _is_alone(node):
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
    """A module with one change. ``before`` and ``after``: what differs, each in one line."""

    line: int
    definition: str
    before: str
    after: str
    code: str


def mutants(source: str) -> list[Mutant]:
    """All changes of a module that a test could see, each once."""
    provider = OperatorProvider()
    operators = [*(provider[name]() for name in LIBRARY), *(own() for own in OWN)]
    found: dict[str, Mutant] = {}
    line = 0
    pieces = [node.get_code() for node in get_ast(source).children]
    # One statement of the module at a time: to parse it whole for each change takes longer than the
    # tests.
    for at, piece in enumerate(pieces):
        for operator in operators:
            nodes = [
                (node, start)
                for node in ast_nodes(get_ast(piece))
                for start, _ in operator.mutation_positions(node)
            ]
            for occurrence, (node, start) in enumerate(nodes):
                if _is_unseen(node, start) or (
                    isinstance(operator, AddNot) and _is_negated_otherwise(node)
                ):
                    continue
                changed = mutate_code(piece, operator, occurrence)
                if changed in (None, piece) or not _compiles(changed):
                    continue
                code = "".join([*pieces[:at], changed, *pieces[at + 1 :]])
                found.setdefault(
                    code,
                    Mutant(line + start[0], _definition(node), *_difference(piece, changed), code),
                )
        line += piece.count("\n")
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _is_negated_otherwise(node: Any) -> bool:
    """``not a == b`` is ``a != b``, and ``not not a`` is ``a``."""
    condition = node.children[2] if node.type == "test" else node.children[1]
    return condition.type in ("comparison", "not_test") and len(condition.children) < 4


def _is_unseen(node: Any, start: tuple[int, int]) -> bool:
    leaf = (
        node
        if not hasattr(node, "children")
        else node.get_leaf_for_position(start, include_prefixes=True)
    )
    is_text = leaf.type in ("string", "fstring_start")
    one = leaf
    while one.parent is not None:
        above = one.parent
        if above.type == "annassign" and one is above.children[1]:
            return True
        if above.type == "tfpdef" and one is above.children[-1]:
            return True
        if above.type == "funcdef" and _words(one.get_previous_sibling() or one) == "->":
            return True
        if above.type == "simple_stmt" and (text := above.get_code().strip()).startswith(
            ("logger.", "__all__")
        ):
            return True
        if (
            above.type == "atom_expr"
            and _words(above.children[0]) in ("TypeVar", "ParamSpec", "cast")
            and is_text
        ):
            return True
        if (
            above.type == "raise_stmt"
            and is_text
            and (" " in _whole_text(leaf) or "AssertionError" in above.get_code())
        ):
            return True
        if above.type == "simple_stmt" and re.match(r"\w+ = (TypeVar|ParamSpec)\(", text):
            return True
        one = above
    return False


def _whole_text(leaf: Any) -> str:
    return (leaf.parent if leaf.type == "fstring_start" else leaf).get_code()


def _is_alone(node: Any) -> bool:
    """A docstring, or what stands for one."""
    return node.parent.type == "simple_stmt" or node.parent.type == "file_input"


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
    """The lines that differ, joined."""
    old, new = source.splitlines(), code.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return " ".join(" ".join(old).split()), " ".join(" ".join(new).split())
