"""The databases of the app's tables: which ones the router names, and what they must allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.apps import AppConfig, apps
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import OperationalError, connections, router
from django.utils import timezone

from django_voicepassword.models import CallRequest

#: The port on which PgBouncer listens if its configuration names no other.
PGBOUNCER_PORT = "6432"


@checks.register("voicepassword")
def check_databases(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: object
) -> list[checks.CheckMessage]:
    """E010: several databases. W015: cursors and a pool. W017: times that have two meanings."""
    return [*_check_router(), *_check_pool(), *_check_zone()]


@checks.register("voicepassword", checks.Tags.database)
def check_privileges(
    databases: Sequence[str] | None = None, **kwargs: object
) -> list[checks.CheckMessage]:
    """W016: the database refuses temporary tables. Only with ``--database``, as in ``migrate``."""
    alias = router.db_for_write(CallRequest)
    if alias not in (databases or []) or _may_create_temporary_tables(alias):
        return []
    return [
        checks.Warning(
            f"The user of the database {alias!r} may not create temporary tables: "
            "the daily statistics cannot be synced.",
            hint="PostgreSQL: GRANT TEMPORARY ON DATABASE … TO …. "
            "MariaDB and MySQL: GRANT CREATE TEMPORARY TABLES ON ….* TO ….",
            id="voicepassword.W016",
        )
    ]


def _may_create_temporary_tables(alias: str) -> bool:
    connection = connections[alias]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT has_database_privilege(current_database(), 'TEMPORARY')")
            return bool(cursor.fetchone()[0])
        if connection.vendor == "mysql":
            try:
                cursor.execute("CREATE TEMPORARY TABLE voicepassword_probe (id integer)")
                cursor.execute("DROP TEMPORARY TABLE voicepassword_probe")
            except OperationalError:
                return False
    return True


def _check_pool() -> Iterator[checks.CheckMessage]:
    alias = router.db_for_write(CallRequest)
    settings = connections[alias].settings_dict
    is_pooled = str(settings.get("PORT")) == PGBOUNCER_PORT
    if is_pooled and not settings.get("DISABLE_SERVER_SIDE_CURSORS"):
        yield checks.Warning(
            f"The database {alias!r} is reached by the usual port of PgBouncer, with server-side "
            "cursors: with transaction pooling, a sync or an export fails.",
            hint='Set "DISABLE_SERVER_SIDE_CURSORS": True in this entry of DATABASES. '
            "If sessions are pooled, silence this check.",
            id="voicepassword.W015",
        )


def _check_zone() -> Iterator[checks.CheckMessage]:
    alias = router.db_for_write(CallRequest)
    name, zone = connections[alias].settings_dict["TIME_ZONE"], connections[alias].timezone
    if not name or zone is None:
        return
    year = timezone.now().year
    if len({zone.utcoffset(datetime(year, month, 1)) for month in range(1, 13)}) > 1:
        yield checks.Warning(
            f"The TIME_ZONE of the database {alias!r}, {name!r}, has summer time. In the hour that "
            "is repeated in autumn, and shortly before it, nobody can log in by phone.",
            hint="Remove TIME_ZONE from this entry of DATABASES. On PostgreSQL the stored times "
            "stay right; elsewhere, convert them to UTC first.",
            id="voicepassword.W017",
        )


def _check_router() -> Iterator[checks.CheckMessage]:
    models = [*apps.get_app_config("django_voicepassword").get_models(), get_user_model()]
    aliases = {model._meta.label: router.db_for_write(model) for model in models}
    if len(set(aliases.values())) > 1:
        named = ", ".join(f"{label} in {alias!r}" for label, alias in sorted(aliases.items()))
        yield checks.Error(
            f"The tables of phone logins are in several databases: {named}.",
            hint="They refer to the user model, and a login joins and locks them in one "
            "transaction. Let the database router name one database for writing the models of "
            "this app, and the user model too.",
            id="voicepassword.E010",
        )
