"""What SQLite's planner knows of how rows are spread; PostgreSQL's autovacuum sees to it itself."""

from typing import Final

from django.db import connection

WORTH_COUNTING: Final = 10_000
"""Rows from which on a table is looked at. What the planner assumes of a table that it knows
nothing of is right for one that grows; what it was told of an almost empty one is not."""

ROWS_READ: Final = 1000
"""Per index: enough to tell a column with three values from one with a million, in milliseconds."""


def statistics_refresh() -> None:
    """Look at every large table anew. Short writes, one per table."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA analysis_limit = {ROWS_READ}")
        # Not those behind the word index: they have no index of their own and would be read whole.
        for name in connection.introspection.django_table_names(only_existing=True):
            table = connection.ops.quote_name(name)
            cursor.execute(f"SELECT max(rowid) FROM {table}")  # noqa: S608 - our own tables
            if (cursor.fetchone()[0] or 0) >= WORTH_COUNTING:
                cursor.execute(f"ANALYZE {table}")
