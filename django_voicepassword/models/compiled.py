"""Statements whose SQL Django's compiler writes once; afterwards they only get parameters.

The ORM writes the text of a statement each time that it is executed. For the statements of a start,
a check and a callback that takes several times as long as the database needs to answer. ``build``
makes the queryset: it is called with a ``Parameter`` for each value that changes. The field of a
parameter adapts its values, as in any queryset. A value of a condition must not be None, and a
parameter must not be in a list (``__in``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.db import connections, models, router, transaction
from django.db.models import sql
from django.db.models.expressions import Expression
from django.db.models.signals import post_save, pre_save

Model = TypeVar("Model", bound=models.Model)


#: Field -> the type of the values that it leaves alone on every database.
PLAIN = {
    models.CharField: str,
    models.TextField: str,
    models.BooleanField: bool,
    # MySQL accepts no 0 where a key is written. In a condition it is a number like any other.
    models.BigAutoField: int,
    models.IntegerField: int,
    models.BigIntegerField: int,
    models.PositiveIntegerField: int,
    models.SmallIntegerField: int,
    models.PositiveSmallIntegerField: int,
}


class Parameter(Expression):
    """A value that is given when the statement is executed."""

    def __init__(self, name: str, field: Any) -> None:
        super().__init__(output_field=field)
        self.name = name
        self._plain = PLAIN.get(type(field))

    def adapt(self, value: Any, connection: Any) -> Any:
        """Return a value as its field adapts it for the database.

        Most values of an INSERT are None, or such that a field of Django leaves them alone.
        """
        if value is None or type(value) is self._plain:
            return value
        return self.output_field.get_db_prep_save(value, connection)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class Statement(Generic[Model]):
    """``fields``: the name of each parameter, and the field of the model that adapts its values."""

    def __init__(self, model: type[Model], build: Callable[..., Any], **fields: str) -> None:
        self.model, self.build, self.fields = model, build, fields
        self._compiled: dict[Any, tuple[str, list[Any], Any]] = {}

    def sql(self, using: str, values: dict[str, Any]) -> tuple[str, list[Any], Any]:
        """Return the text for a database, its adapted values, and what reads the result."""
        connection = connections[using]
        database = connection.settings_dict
        # A test may change the database of an alias, and USE_TZ.
        key = (using, database["ENGINE"], database["HOST"], database["NAME"], settings.USE_TZ)
        if key not in self._compiled:
            self._compiled[key] = self._compile(using)
        text, parameters, reader = self._compiled[key]
        adapted = [
            one.adapt(values[one.name], connection) if isinstance(one, Parameter) else one
            for one in parameters
        ]
        return text, adapted, reader

    def _compile(self, using: str) -> tuple[str, list[Any], Any]:
        raise NotImplementedError

    def _build(self) -> Any:
        fields = {name: self.model._meta.get_field(field) for name, field in self.fields.items()}
        return self.build(**{name: Parameter(name, field) for name, field in fields.items()})


class Select(Statement[Model]):
    """``list(build(…))``, with the annotations and the ``select_related`` of the queryset.

    ``select_related`` may name foreign keys of the model, not those of related rows.
    """

    def __call__(self, **values: Any) -> list[Model]:
        using = router.db_for_write(self.model)
        connection = connections[using]
        text, adapted, (own, related, annotations, converters) = self.sql(using, values)
        with connection.cursor() as cursor:
            cursor.execute(text, adapted)
            rows = [list(row) for row in cursor.fetchall()]
        found = []
        for row in rows:
            for column, (functions, expression) in converters:
                for convert in functions:
                    row[column] = convert(row[column], expression, connection)
            found.append(own.read(using, row))
            for one in related:
                one.set(found[-1], one.read(using, row))
            for name, column in annotations:
                setattr(found[-1], name, row[column])
        return found

    def _compile(self, using: str) -> tuple[str, list[Any], Any]:
        compiler = self._build().using(using).query.get_compiler(using)
        text, parameters = compiler.as_sql()
        expressions = [column[0] for column in compiler.select]
        info = compiler.klass_info
        related = [_Columns(one, expressions) for one in info.get("related_klass_infos", [])]
        converters = list(compiler.get_converters(expressions).items())
        annotations = list(compiler.annotation_col_map.items())
        return text, parameters, (_Columns(info, expressions), related, annotations, converters)


class _Columns:
    """The columns of a SELECT that are one row of a model."""

    def __init__(self, info: dict[str, Any], expressions: list[Any]) -> None:
        self.model, self.columns = info["model"], info["select_fields"]
        self.set = info.get("local_setter")
        self.names = [expressions[column].target.attname for column in self.columns]
        self.key = self.columns[self.names.index(self.model._meta.pk.attname)]

    def read(self, using: str, row: list[Any]) -> Any:
        """Return the instance; None where an outer join has found no row."""
        if row[self.key] is None:
            return None
        return self.model.from_db(using, self.names, [row[column] for column in self.columns])


class Update(Statement[Model]):
    """``queryset.update(**changes)``, where ``build`` returns the queryset and the changes."""

    def __call__(self, **values: Any) -> int:
        """Return how many rows it changed."""
        using = router.db_for_write(self.model)
        with transaction.mark_for_rollback_on_error(using), connections[using].cursor() as cursor:
            cursor.execute(*self.sql(using, values)[:2])
            return int(cursor.rowcount)

    def _compile(self, using: str) -> tuple[str, list[Any], Any]:
        queryset, changes = self._build()
        query = queryset.using(using).query.chain(sql.UpdateQuery)
        query.add_update_values(changes)
        return (*query.get_compiler(using).as_sql(), None)


class Insert(Statement[Model]):
    """``save(force_insert=True)``, which sends Django's signals if somebody listens to them."""

    def __init__(self, model: type[Model]) -> None:
        super().__init__(model, model)

    def __call__(self, row: Model) -> None:
        # Without ``instance``: a row takes the database of a user whom a replica has read, and a
        # router may write to it.
        using = router.db_for_write(self.model)
        if pre_save.has_listeners(self.model) or post_save.has_listeners(self.model):
            row.save(using=using, force_insert=True)
            return
        connection, key = connections[using], self.model._meta.auto_field
        text, adapted, _ = self.sql(using, {f.attname: f.pre_save(row, True) for f in self.columns})
        with transaction.mark_for_rollback_on_error(using), connection.cursor() as cursor:
            cursor.execute(text, adapted)
            if key and connection.features.can_return_columns_from_insert:
                row.pk = cursor.fetchone()[0]
            elif key:
                row.pk = connection.ops.last_insert_id(cursor, row._meta.db_table, str(key.column))
        row._state.adding, row._state.db = False, using

    @cached_property
    def columns(self) -> list[Any]:
        """The fields whose values are written: the database makes the others."""
        meta = self.model._meta
        return [
            one for one in meta.concrete_fields if not (one.generated or one == meta.auto_field)
        ]

    def _compile(self, using: str) -> tuple[str, list[Any], Any]:
        row, query = self.model(), sql.InsertQuery(self.model)
        for field in self.columns:
            row.__dict__[field.attname] = Parameter(field.attname, field)
        query.insert_values(self.columns, [row], raw=True)
        compiler = query.get_compiler(using)
        key = self.model._meta.auto_field
        compiler.returning_fields = [key] if key else None
        return (*compiler.as_sql()[0], None)
