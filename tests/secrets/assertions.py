"""The assertion that nothing that was reported contains a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.secrets.error_tracker import Reports, collect_reports
from tests.secrets.faults import CODE, GUESS, KEY, PHONE
from tests.secrets.secret_search import Secrets


@contextmanager
def assert_no_secret_reported(
    expected: str = "it broke", codes: set[str] | None = None
) -> Iterator[Reports]:
    """Assert that a report contains ``expected``, and that no report contains a secret.

    ``codes``: codes of four digits, in addition to the secrets of ``faults``.
    """
    with collect_reports() as reports:
        yield reports
    assert any(expected in text for text in reports.texts), reports.all()
    secrets = Secrets({KEY, GUESS, CODE}, codes or set(), {PHONE[1:]})
    assert [leak for text in reports.all() for leak in secrets.find(text)] == []
