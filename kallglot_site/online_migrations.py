"""Operations of migrations that do not hold up writes while an index of a large table is built.

On PostgreSQL they need ``atomic = False`` in their migration. On SQLite, whose writers wait for one
another anyway, they are Django's own.

Source: https://www.postgresql.org/docs/current/sql-createindex.html (CONCURRENTLY)
"""

from typing import Any

from django.db.migrations import AddConstraint, AddIndex


class AddIndexOnline(AddIndex):
    """May be repeated after it was interrupted."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if schema_editor.connection.vendor == "postgresql":
            _drop_unfinished(schema_editor, self.index.name)
            schema_editor.add_index(model, self.index, concurrently=True)
        else:
            schema_editor.add_index(model, self.index)


class AddConstraintOnline(AddConstraint):
    """For a unique constraint with a condition, which is an index. May be repeated."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if schema_editor.connection.vendor == "postgresql":
            _drop_unfinished(schema_editor, self.constraint.name)
            statement = str(self.constraint.create_sql(model, schema_editor))
            begins = "CREATE UNIQUE INDEX "
            assert statement.startswith(begins), statement
            schema_editor.execute(
                f"{begins}CONCURRENTLY {statement.removeprefix(begins)}", params=None
            )
        else:
            schema_editor.add_constraint(model, self.constraint)


def _drop_unfinished(schema_editor: Any, name: str) -> None:
    """An interrupted build leaves an index that is not valid."""
    quoted = schema_editor.quote_name(name)
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {quoted}")
