"""What leaves a frame tells where it was, and nothing of what was there."""

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


def told(error: BaseException) -> str:
    return "".join(repr(frame.f_locals) for frame, _ in traceback.walk_tb(error.__traceback__))


def failure(call: Callable[[str], Any]) -> BaseException:
    # Joined at run time: the frame of the test has it nowhere.
    with pytest.raises(ValueError) as caught:
        call("-".join(["very", "secret"]))
    return caught.value


def test_variables_are_gone_and_lines_are_not() -> None:
    error = failure(clear_frames_on_error(outer))
    assert "very-secret" not in told(error)
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)][-2:] == [
        "outer",
        "inner",
    ]
    assert str(error) == "of 11 letters"


def test_unmarked_it_would_be_there() -> None:
    assert "very-secret" in told(failure(outer))


@pytest.mark.parametrize("debug", [True, False])
def test_under_debug_everything_is_shown(debug: bool) -> None:
    with override_settings(DEBUG=debug):
        assert ("very-secret" in told(failure(sensitive(outer)))) is debug


def test_what_led_to_it_is_forgotten_too() -> None:
    def translate(secret: str) -> None:
        try:
            outer(secret)
        except ValueError as error:
            raise ValueError("another") from error

    error = failure(clear_frames_on_error(translate))
    assert error.__cause__ is not None
    assert "very-secret" not in told(error.__cause__)


def test_from_none_is_meant() -> None:
    """The exception that it stands for may hold a request or a text."""

    def hide(secret: str) -> None:
        try:
            outer(secret)
        except ValueError:
            raise ValueError("another") from None

    assert failure(clear_frames_on_error(hide)).__context__ is None


def test_an_exception_of_the_caller_keeps_its_variables() -> None:
    """Who calls us while handling a fault reports that fault as it was."""
    both = []
    try:
        outer("the-callers-own")
    except ValueError as handled:
        both = [handled, failure(clear_frames_on_error(outer))]
    assert both[1].__context__ is both[0]
    assert "the-callers-own" in told(both[0])


def test_rows_forget_where_they_break() -> None:
    def rows(secret: str) -> Iterator[int]:
        yield 1
        outer(secret)

    read: list[int] = []
    error = failure(lambda secret: read.extend(clear_frames_while_iterating(rows(secret))))
    assert "inner" in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    frames = [
        frame
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name in ("inner", "outer", "rows")
    ]
    assert len(frames) == 3
    assert all("very-secret" not in repr(frame.f_locals) for frame in frames)


def test_what_is_marked_is_called_as_before() -> None:
    @sensitive
    def add(first: int, second: int = 2) -> int:
        """Adds."""
        return first + second

    assert (add(1), add(1, second=5), add.__name__, add.__doc__) == (3, 6, "add", "Adds.")


def test_a_secret_is_a_text_that_no_repr_shows() -> None:
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
