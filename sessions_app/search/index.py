"""The search index: built after every ``migrate``, and asked here.

It is no model: Django knows neither FTS5 nor triggers, and rebuilding a table on SQLite (which
migrations do) drops the table's triggers. So the index is put in place after migrating, whatever
is missing of it; what is there already is left alone.
"""

from typing import Any, Final

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connections
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL

from sessions_app.models import Segment, Session
from sessions_app.search.terms import Term, postgres_query, sqlite_query

RARE: Final = 5000
_VECTOR: Final = SearchVector("text", "translation", config="simple")
_POSTGRES: Final = (
    (Segment, GinIndex(_VECTOR, name="segments_by_words")),
    (Session, GinIndex(fields=["metadata"], opclasses=["jsonb_path_ops"], name="sessions_by_meta")),
)

# The segment's own rowid would not do: VACUUM may renumber it, for its key is a text.
_SQLITE: Final = (
    """CREATE TABLE IF NOT EXISTS segment_search_rows (
        id INTEGER PRIMARY KEY, segment_id TEXT NOT NULL UNIQUE, session_id TEXT NOT NULL)""",
    """CREATE VIRTUAL TABLE IF NOT EXISTS segment_search USING fts5(
        text, translation, tokenize = "unicode61 remove_diacritics 2")""",
    """CREATE TRIGGER IF NOT EXISTS segment_search_insert AFTER INSERT ON sessions_app_segment
    BEGIN
        INSERT INTO segment_search_rows (segment_id, session_id) VALUES (new.id, new.session_id);
        INSERT INTO segment_search (rowid, text, translation)
            SELECT id, new.text, new.translation FROM segment_search_rows
            WHERE segment_id = new.id;
    END""",
    """CREATE TRIGGER IF NOT EXISTS segment_search_update
    AFTER UPDATE OF text, translation ON sessions_app_segment
    BEGIN
        UPDATE segment_search SET text = new.text, translation = new.translation
            WHERE rowid = (SELECT id FROM segment_search_rows WHERE segment_id = new.id);
    END""",
    """CREATE TRIGGER IF NOT EXISTS segment_search_delete AFTER DELETE ON sessions_app_segment
    BEGIN
        DELETE FROM segment_search
            WHERE rowid = (SELECT id FROM segment_search_rows WHERE segment_id = old.id);
        DELETE FROM segment_search_rows WHERE segment_id = old.id;
    END""",
    # Segments from before the index, or from a time when the triggers were missing.
    """INSERT INTO segment_search_rows (segment_id, session_id)
        SELECT id, session_id FROM sessions_app_segment
        WHERE id NOT IN (SELECT segment_id FROM segment_search_rows)""",
    """INSERT INTO segment_search (rowid, text, translation)
        SELECT r.id, s.text, s.translation
        FROM segment_search_rows r JOIN sessions_app_segment s ON s.id = r.segment_id
        WHERE r.id > (SELECT COALESCE(MAX(rowid), 0) FROM segment_search)""",
)


def install(using: str) -> None:
    """Put in place whatever of the index is missing. Safe to repeat."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for statement in _SQLITE:
                cursor.execute(statement)
            return
        if connection.vendor != "postgresql":
            return
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()")
        present = {name for (name,) in cursor.fetchall()}
    with connection.schema_editor() as editor:
        for model, index in _POSTGRES:
            if index.name not in present:
                editor.add_index(model, index)


def after_migrate(using: str, **kwargs: Any) -> None:
    install(using)


def segments_with(segments: QuerySet[Segment], terms: list[Term]) -> QuerySet[Segment]:
    """Those segments that hold every term."""
    if connections[segments.db].vendor == "postgresql":
        query = SearchQuery(postgres_query(terms), config="simple", search_type="raw")
        return segments.annotate(words=_VECTOR).filter(words=query)
    found = (
        "SELECT r.segment_id FROM segment_search f JOIN segment_search_rows r ON r.id = f.rowid "
        "WHERE segment_search MATCH %s"
    )
    return segments.filter(id__in=RawSQL(found, [sqlite_query(terms)]))  # noqa: S611 - a parameter


def sessions_with(sessions: QuerySet[Session], terms: list[Term]) -> QuerySet[Session]:
    """Those sessions in which some segment holds every term.

    On PostgreSQL it asks a first question at once: rare words are looked up in the index and their
    sessions named; frequent ones are met soon by reading sessions in the order of the list. The
    planner cannot tell which it is and, left alone, reads a million sessions to find none.
    """
    if connections[sessions.db].vendor == "postgresql":
        holding = segments_with(Segment.objects.all(), terms).values_list("session_id", flat=True)
        named = list(holding[: RARE + 1])
        if len(named) <= RARE:
            return sessions.filter(id__in=set(named))
        said = segments_with(Segment.objects.filter(session=OuterRef("pk")), terms)
        return sessions.filter(Exists(said))
    found = (
        "SELECT r.session_id FROM segment_search f JOIN segment_search_rows r ON r.id = f.rowid "
        "WHERE segment_search MATCH %s"
    )
    return sessions.filter(id__in=RawSQL(found, [sqlite_query(terms)]))  # noqa: S611 - a parameter
