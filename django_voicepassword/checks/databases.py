"""Which databases the project's router names for the app's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.apps import AppConfig, apps
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import router


@checks.register("voicepassword")
def check_databases(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: object
) -> list[checks.CheckMessage]:
    """E010: the app's tables and the users are not in one database."""
    return list(_check_router())


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
