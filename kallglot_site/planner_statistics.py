"""Statistics for SQLite's query planner. PostgreSQL's autovacuum updates its own."""

from typing import Final

from django.db import connection

MINIMUM_ROWS: Final = 10_000
"""Smaller tables are skipped. Without statistics the planner's assumptions suit a growing table;
statistics of an almost empty table would mislead it once the table has grown."""

ROWS_READ: Final = 1000
"""Rows read per index: takes milliseconds, and tells three distinct values from a million."""


def statistics_refresh() -> None:
    """Update the statistics of every large table, with one short write per table."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA analysis_limit = {ROWS_READ}")
        # Without the tables of the word index: they have no indexes and would be read completely.
        for name in connection.introspection.django_table_names(only_existing=True):
            table = connection.ops.quote_name(name)
            cursor.execute(f"SELECT max(rowid) FROM {table}")  # noqa: S608 - our own tables
            if (cursor.fetchone()[0] or 0) >= MINIMUM_ROWS:
                cursor.execute(f"ANALYZE {table}")
