"""Tracebacks without local variables: the lines stay, the values are gone."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings

from django_voicepassword.security.sensitive import sensitive
from django_voicepassword.security.tracebacks import (
    Secret,
    clear_frames_on_error,
    clear_frames_while_iterating,
)


def inner(secret: str) -> None:
    copy = secret
    raise ValueError(f"of {len(copy)} letters")


def outer(secret: str) -> None:
    inner(secret)


def variables(error: BaseException) -> str:
    """Return the repr of every local variable in the traceback."""
    return "".join(repr(frame.f_locals) for frame, _ in traceback.walk_tb(error.__traceback__))


def failure(call: Callable[[str], Any]) -> BaseException:
    # Joined at run time, so that no frame of the test holds the secret.
    with pytest.raises(ValueError) as caught:
        call("-".join(["very", "secret"]))
    return caught.value


def test_the_variables_are_cleared_and_the_lines_stay() -> None:
    error = failure(clear_frames_on_error(outer))
    assert "very-secret" not in variables(error)
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)][-2:] == [
        "outer",
        "inner",
    ]
    assert str(error) == "of 11 letters"


def test_without_clearing_the_variables_are_in_the_traceback() -> None:
    assert "very-secret" in variables(failure(outer))


@pytest.mark.parametrize("debug", [True, False])
def test_sensitive_keeps_the_variables_under_debug_only(debug: bool) -> None:
    with override_settings(DEBUG=debug):
        assert ("very-secret" in variables(failure(sensitive(outer)))) is debug


def test_the_variables_of_the_cause_are_cleared_too() -> None:
    def translate(secret: str) -> None:
        try:
            outer(secret)
        except ValueError as error:
            raise ValueError("another") from error

    error = failure(clear_frames_on_error(translate))
    assert error.__cause__ is not None
    assert "very-secret" not in variables(error.__cause__)


def test_from_none_removes_the_context() -> None:
    """The suppressed exception may hold a request or a text."""

    def hide(secret: str) -> None:
        try:
            outer(secret)
        except ValueError:
            raise ValueError("another") from None

    assert failure(clear_frames_on_error(hide)).__context__ is None


def test_an_exception_that_the_caller_handles_keeps_its_variables() -> None:
    """The caller may report it after calling the app in an ``except`` block."""
    errors = []
    try:
        outer("the-callers-own")
    except ValueError as handled:
        errors = [handled, failure(clear_frames_on_error(outer))]
    assert errors[1].__context__ is errors[0]
    assert "the-callers-own" in variables(errors[0])


def test_the_variables_of_a_generator_that_fails_are_cleared() -> None:
    def rows(secret: str) -> Iterator[int]:
        yield 1
        outer(secret)

    numbers: list[int] = []
    error = failure(lambda secret: numbers.extend(clear_frames_while_iterating(rows(secret))))
    assert "inner" in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    frames = [
        frame
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name in ("inner", "outer", "rows")
    ]
    assert len(frames) == 3
    assert all("very-secret" not in repr(frame.f_locals) for frame in frames)


def test_a_sensitive_function_keeps_its_arguments_name_and_docstring() -> None:
    @sensitive
    def add(first: int, second: int = 2) -> int:
        """Adds."""
        return first + second

    assert (add(1), add(1, second=5), add.__name__, add.__doc__) == (3, 6, "add", "Adds.")


def test_a_secret_equals_its_text_and_has_a_repr_without_it() -> None:
    secret = Secret("4821")
    assert (
        secret == "4821",
        hash(secret) == hash("4821"),
        f"{secret}",
        json.dumps({"code": secret}),
    ) == (
        True,
        True,
        "4821",
        '{"code": "4821"}',
    )
    assert "4821" not in f"{secret!r} {[secret]} { ({'code': secret})!r}"
    assert type(str(secret)) is str
