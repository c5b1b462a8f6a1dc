"""All probes, in the order in which a fault of one explains those of the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseFailure
from django.utils.translation import gettext as _

from django_voicepassword.management.doctor import account, callback, database, queues, site
from django_voicepassword.management.doctor.findings import (
    Finding,
    Level,
    fault,
    skipped,
)
from django_voicepassword.verifications import operator_texts

#: Yields what it finds, and may raise what ``examine`` catches.
Probe = Callable[[], Iterable[Finding]]


def examine(wait: float, show: Callable[[str], None]) -> Iterator[Finding]:
    """Yield what each probe finds. ``wait``: the seconds that a worker has to answer.

    ``show`` is called with what is looked at now. A fault of the database or the settings is the
    last finding: it would be the cause of most others.
    """
    first: list[tuple[str, Probe]] = [
        (_("database"), database.tables),
        (_("settings"), site.settings_checks),
    ]
    for name, probe in first:
        show(name)
        found = list(_guarded(name, probe))
        yield from found
        if any(finding.level == Level.FAULT for finding in found):
            yield skipped(_("all else"), _("Not looked at until this is mended."))
            return
    probes: list[tuple[str, Probe]] = [
        (_("account"), account.account),
        (_("callback"), callback.callback),
        (_("queues"), lambda: queues.queues(wait)),
        (_("what needs doing"), site.needs),
        (_("clocks"), database.clock),
        (_("retention"), site.retention),
        (_("proxies"), site.proxies),
    ]
    for name, probe in probes:
        show(name)
        yield from _guarded(name, probe)


def _guarded(name: str, probe: Probe) -> Iterator[Finding]:
    """Yield what a probe finds, also where the project keeps it from looking."""
    try:
        yield from probe()
    except ImproperlyConfigured as error:
        yield fault(name, str(error), _("“manage.py check” says what is wrong."))
    except DatabaseFailure:
        yield fault(
            name,
            operator_texts.database_text(),
            _("Start the database, and run “manage.py migrate”."),
        )
