"""The search index: built after every ``migrate``, and asked here.

It is no model: Django knows neither FTS5 nor triggers, and rebuilding a table on SQLite (which
migrations do) drops the table's triggers. So the index is put in place after migrating, whatever
is missing of it; what is there already is left alone.
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

RARE: Final = 2000
"""Lines. Words that are in no more of them are rare: what holds them is named from the index."""
_VECTOR: Final = SearchVector("text", "translation", config="simple")
_POSTGRES: Final = (
    (Segment, GinIndex(_VECTOR, name="segments_by_words")),
    (Session, GinIndex(fields=["metadata"], opclasses=["jsonb_path_ops"], name="sessions_by_meta")),
)

# The segment's own rowid would not do: VACUUM may renumber it, for its key is a text.
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


def sessions_naming(terms: list[Term], using: str) -> set[str] | None:
    """The sessions, of whatever tenant, in which some segment holds every term; None: too many.

    Never reads a long list of the index: that of a word as usual as "the" takes seconds. SQLite
    meets its entries one by one, newest first; PostgreSQL estimates from its statistics.
    """
    if connections[using].vendor == "postgresql":
        holding = segments_with(Segment.objects.using(using), terms).values_list("session_id")
        if _estimate(holding) > RARE:
            return None
        named = [session_id for (session_id,) in holding[: RARE + 1]]
    else:
        with connections[using].cursor() as cursor:
            cursor.execute(
                "SELECT r.session_id FROM (SELECT rowid FROM segment_search"
                " WHERE segment_search MATCH %s ORDER BY rowid DESC LIMIT %s) f"
                " JOIN segment_search_rows r ON r.id = f.rowid",
                [sqlite_query(terms), RARE + 1],
            )
            named = [session_id for (session_id,) in cursor.fetchall()]
    return set(named) if len(named) <= RARE else None


def _estimate(segments: QuerySet[Segment, Any]) -> int:
    """How many rows the planner expects."""
    plan = segments.explain(format="json")
    return int(json.loads(plan)[0]["Plan"]["Plan Rows"])


def sessions_holding(
    sessions: QuerySet[Session],
    terms: list[Term],
    window: QuerySet[Session] | None = None,
    *,
    few: bool = False,
) -> QuerySet[Session]:
    """Those sessions in which some segment holds every term, found by looking into each.

    For words that are met soon. On SQLite only that part of the index is read which belongs to the
    sessions of ``window``, an ordered list that has all of ``sessions``; ``few``: it is short.
    """
    if connections[sessions.db].vendor == "postgresql":
        # Not Exists: the planner would turn it round and look for the words everywhere first.
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
            # The plus keeps the lines from being looked up in the index of words one by one.
            every = _sql(window.order_by())
            found += f" AND +f.rowid IN (SELECT id {rows} IN ({every[0]}))"
            parameters += every[1]
    return sessions.filter(id__in=RawSQL(found, parameters))  # noqa: S611 - made of parameters


def _sql(sessions: QuerySet[Session]) -> tuple[str, list[Any]]:
    """The ids of ``sessions`` as a statement and its parameters."""
    sql, parameters = sessions.values("id").query.sql_with_params()
    return sql, list(parameters)


def lines_holding(
    segments: QuerySet[Segment], session_ids: list[str], terms: list[Term]
) -> QuerySet[Segment]:
    """What of ``segments`` was said in those sessions and holds every term."""
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
    """Those that hold every term, read one by one: worded unlike the index, so that it is left.

    A plain comparison comes first: it is twelve times faster than making a vector of the words.
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


def sessions_with(sessions: QuerySet[Session], terms: list[Term]) -> QuerySet[Session]:
    """Those sessions in which some segment holds every term, all of them.

    Asks a first question at once: whether the words are rare.
    """
    named = sessions_naming(terms, sessions.db)
    if named is not None:
        return sessions.filter(id__in=named)
    return sessions_holding(sessions, terms)
