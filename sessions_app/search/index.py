"""The search index: created after every ``migrate``, and queried here.

It is not a model, because Django supports neither FTS5 nor triggers, and migrations on SQLite
rebuild tables, which drops their triggers. Therefore the missing parts of the index are created
after every migration.
"""

import json
from typing import Any, Final

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connections
from django.db.models import BooleanField, F, Func, OuterRef, QuerySet, Subquery, TextField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Concat

from sessions_app.models import Segment, Session
from sessions_app.search.terms import Term, like_pattern, postgres_query, sqlite_query

RARE_WORD_SEGMENTS: Final = 2000
"""Words in at most this many segments are rare: their sessions are read from the index."""
_VECTOR: Final = SearchVector("text", "translation", config="simple")
_POSTGRES: Final = (
    (Segment, GinIndex(_VECTOR, name="segments_by_words")),
    (Session, GinIndex(fields=["metadata"], opclasses=["jsonb_path_ops"], name="sessions_by_meta")),
)

# Not the rowid of the segment: its primary key is a text, so VACUUM may renumber the rowids.
_SQLITE: Final = (
    """CREATE TABLE IF NOT EXISTS segment_search_rows (
        id INTEGER PRIMARY KEY, segment_id TEXT NOT NULL UNIQUE, session_id TEXT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS segment_search_by_session
        ON segment_search_rows (session_id)""",
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
    # Segments that were stored before the index existed, or while triggers were missing.
    """INSERT INTO segment_search_rows (segment_id, session_id)
        SELECT id, session_id FROM sessions_app_segment
        WHERE id NOT IN (SELECT segment_id FROM segment_search_rows)""",
    """INSERT INTO segment_search (rowid, text, translation)
        SELECT r.id, s.text, s.translation
        FROM segment_search_rows r JOIN sessions_app_segment s ON s.id = r.segment_id
        WHERE r.id > (SELECT COALESCE(MAX(rowid), 0) FROM segment_search)""",
)


def install(using: str) -> None:
    """Create the missing parts of the index. Safe to repeat."""
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


def segments_matching(segments: QuerySet[Segment], terms: list[Term]) -> QuerySet[Segment]:
    """The segments that contain every term."""
    if connections[segments.db].vendor == "postgresql":
        query = SearchQuery(postgres_query(terms), config="simple", search_type="raw")
        return segments.annotate(words=_VECTOR).filter(words=query)
    found = (
        "SELECT r.segment_id FROM segment_search f JOIN segment_search_rows r ON r.id = f.rowid "
        "WHERE segment_search MATCH %s"
    )
    return segments.filter(id__in=RawSQL(found, [sqlite_query(terms)]))  # noqa: S611 - a parameter


def session_ids_from_index(terms: list[Term], using: str) -> set[str] | None:
    """Ids of sessions, of all tenants, with a segment that contains every term; None: too many.

    Never reads a long list of the index, which takes seconds for a word like "the". SQLite reads
    the entries one by one, newest first; PostgreSQL estimates their number from its statistics.
    """
    if connections[using].vendor == "postgresql":
        holding = segments_matching(Segment.objects.using(using), terms).values_list("session_id")
        if _estimate(holding) > RARE_WORD_SEGMENTS:
            return None
        found_ids = [session_id for (session_id,) in holding[: RARE_WORD_SEGMENTS + 1]]
    else:
        with connections[using].cursor() as cursor:
            cursor.execute(
                "SELECT r.session_id FROM (SELECT rowid FROM segment_search"
                " WHERE segment_search MATCH %s ORDER BY rowid DESC LIMIT %s) f"
                " JOIN segment_search_rows r ON r.id = f.rowid",
                [sqlite_query(terms), RARE_WORD_SEGMENTS + 1],
            )
            found_ids = [session_id for (session_id,) in cursor.fetchall()]
    return set(found_ids) if len(found_ids) <= RARE_WORD_SEGMENTS else None


def _estimate(segments: QuerySet[Segment, Any]) -> int:
    """The number of rows that the planner expects."""
    plan = segments.explain(format="json")
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"])


def sessions_matching_by_scan(
    sessions: QuerySet[Session],
    terms: list[Term],
    window: QuerySet[Session] | None = None,
    *,
    few: bool = False,
) -> QuerySet[Session]:
    """The sessions with a segment that contains every term, found by reading each session.

    For frequent words. SQLite reads only the part of the index that belongs to the sessions of
    ``window``, an ordered list that contains all of ``sessions``; ``few``: the list is short.
    """
    if connections[sessions.db].vendor == "postgresql":
        # Not Exists: the planner would search all tenants' segments for the words first.
        said = _searched(Segment.objects.filter(session=OuterRef("pk")), terms)
        return sessions.annotate(said=Subquery(said.values("id")[:1])).filter(said__isnull=False)
    found = (
        "SELECT r.session_id FROM segment_search f JOIN segment_search_rows r ON r.id = f.rowid"
        " WHERE segment_search MATCH %s"
    )
    parameters: list[Any] = [sqlite_query(terms)]
    if window is not None:
        oldest, newest = (_sql(window.order_by(order)[:1]) for order in ("id", "-id"))
        rows = "FROM segment_search_rows WHERE session_id"
        between = f"{rows} BETWEEN ({oldest[0]}) AND ({newest[0]})"
        found += (
            f" AND f.rowid >= (SELECT MIN(id) {between}) AND f.rowid <= (SELECT MAX(id) {between})"
        )
        parameters += [*oldest[1], *newest[1]] * 2
        if few:
            # The plus keeps SQLite from looking up the rows in the FTS5 index one by one.
            every = _sql(window.order_by())
            found += f" AND +f.rowid IN (SELECT id {rows} IN ({every[0]}))"
            parameters += every[1]
    return sessions.filter(id__in=RawSQL(found, parameters))  # noqa: S611 - made of parameters


def _sql(sessions: QuerySet[Session]) -> tuple[str, list[Any]]:
    """The query for the ids of ``sessions``, and its parameters."""
    sql, parameters = sessions.values("id").query.sql_with_params()
    return sql, list(parameters)


def segments_matching_in(
    segments: QuerySet[Segment], session_ids: list[str], terms: list[Term]
) -> QuerySet[Segment]:
    """Those of ``segments`` that belong to the sessions and contain every term."""
    if connections[segments.db].vendor == "postgresql":
        return _searched(segments.filter(session__in=session_ids), terms)
    marks = ", ".join(["%s"] * len(session_ids))
    found = (  # noqa: S608 - parameters
        "SELECT segment_id FROM segment_search_rows WHERE id IN"
        " (SELECT rowid FROM segment_search"
        " WHERE segment_search MATCH %s AND rowid >= (SELECT MIN(id) {own})"
        " AND rowid <= (SELECT MAX(id) {own}) AND +rowid IN (SELECT id {own}))"
    ).format(own=f"FROM segment_search_rows WHERE session_id IN ({marks})")
    return segments.filter(id__in=RawSQL(found, [sqlite_query(terms), *session_ids * 3]))  # noqa: S611 - parameters


def _text(value: str) -> Value:
    return Value(value, output_field=TextField())


def _searched(segments: QuerySet[Segment], terms: list[Term]) -> QuerySet[Segment]:
    """The segments that contain every term, read one by one.

    The expression differs from that of the index, so that PostgreSQL does not use the index. ILIKE
    comes first: it is twelve times faster than computing a text search vector.
    """
    said = Concat("text", _text(" "), Coalesce("translation", _text("")), output_field=TextField())
    segments = segments.annotate(said=said)
    for term in terms:
        likely = Func(
            F("said"),
            _text(like_pattern(term)),
            template="(%(expressions)s)",
            arg_joiner=" ILIKE ",
            output_field=BooleanField(),
        )
        segments = segments.filter(likely)
    query = SearchQuery(postgres_query(terms), config="simple", search_type="raw")
    return segments.annotate(words=SearchVector("said", config="simple")).filter(words=query)


def sessions_matching(sessions: QuerySet[Session], terms: list[Term]) -> QuerySet[Session]:
    """All sessions with a segment that contains every term.

    Runs one query immediately, to find out whether the words are rare.
    """
    found_ids = session_ids_from_index(terms, sessions.db)
    if found_ids is not None:
        return sessions.filter(id__in=found_ids)
    return sessions_matching_by_scan(sessions, terms)
