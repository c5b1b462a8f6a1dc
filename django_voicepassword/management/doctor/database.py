"""The database: does it answer, is it migrated, and does its clock agree with ours?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import Error as DatabaseFailure
from django.db import connections, router
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from django_voicepassword.management.doctor import clocks
from django_voicepassword.management.doctor.deadlines import PATIENCE, within
from django_voicepassword.management.doctor.findings import Finding, fault, fine, skipped
from django_voicepassword.models import CallRequest
from django_voicepassword.verifications import operator_texts

APP = "django_voicepassword"
#: Vendor -> the SQL for the seconds since 1970. SQLite has the clock of this machine.
_EPOCH = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT UNIX_TIMESTAMP(SYSDATE(6))",
}


def tables() -> Iterator[Finding]:
    """Does the database answer in time, and has it every migration of this app?"""
    alias = router.db_for_write(CallRequest)
    start = _("Start the database, and correct its address in DATABASES.")
    try:
        within(PATIENCE, lambda: _ask(alias, "SELECT 1"))
    except TimeoutError:
        text = _("It does not answer within %(seconds)d s.") % {"seconds": PATIENCE}
        yield fault(_("database"), text, start)
        return
    except DatabaseFailure:
        yield fault(_("database"), operator_texts.database_text(), start)
        return
    yield fine(_("database"), _("It answers (%(kind)s).") % {"kind": connections[alias].vendor})
    yield _migrations(alias)


def _migrations(alias: str) -> Finding:
    executor = MigrationExecutor(connections[alias])
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] == APP]
    missing = [
        migration.name
        for migration, _backwards in executor.migration_plan(targets)
        if migration.app_label == APP
    ]
    if not missing:
        return fine(_("migrations"), _("All are applied."))
    text = _("Not applied: %(names)s.") % {"names": ", ".join(missing)}
    return fault(_("migrations"), text, _("Run “manage.py migrate”, then restart the site."))


def clock() -> Iterator[Finding]:
    """The app stamps its rows by the clocks of its servers; the database's is only reported."""
    alias, name = router.db_for_write(CallRequest), _("clock of the database")
    sql = _EPOCH.get(connections[alias].vendor)
    if sql is None:
        yield skipped(name, _("It is the clock of this machine."))
        return
    before = time.time()
    epoch = float(within(PATIENCE, lambda: _ask(alias, sql)))
    yield clocks.finding(name, epoch - (before + time.time()) / 2)


def _ask(alias: str, sql: str) -> float:
    """Ask by a connection of this thread's own, and close it."""
    connection = connections[alias]
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return float(cursor.fetchone()[0])
    finally:
        connection.close()
