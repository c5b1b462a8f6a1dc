"""Indexes of what is rare and looked for, so that a list of it does not walk through all that is not.

MariaDB and MySQL have no partial indexes: there such a list walks. Declared in the model, Django would warn there at each
migration and make them as whole ones, of no use and paid with every row.
"""

from typing import Any

from django.db import migrations

#: Name -> condition.
INDEXES = {
    "voicepassword_call_imported": "origin = 'imported'",
    "voicepassword_call_difference": "difference > 0",
    "voicepassword_call_error": "error_code <> ''",
}


def make(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.features.supports_partial_indexes:
        table = schema_editor.quote_name("django_voicepassword_callrequest")
        for name, condition in INDEXES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON {table} (created_at, id) WHERE {condition}")


def drop(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.features.supports_partial_indexes:
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    dependencies = [("django_voicepassword", "0001_initial")]
    operations = [migrations.RunPython(make, drop)]
