"""The index of the passages' words: created after every ``migrate``, and queried here.

As in ``sessions_app.search.index`` it is no model: FTS5 with triggers on SQLite, a generated column
with a GIN index on PostgreSQL.

Passages need not hold every word of a query, which is a question and not a search term: each word
that they hold counts, and a rare one counts more (inverse document frequency). Longer words are
also found with other endings.
"""

import re
from typing import Any, Final

from django.db import connections

from sessions_app.agents.knowledge.stop_words import STOP_WORDS
from sessions_app.agents.models import KnowledgeBase

MAX_WORDS: Final = 24
"""Words of a query that are looked up: the longest."""
_SHORTEST: Final = 4
_STEM: Final = 5
"""A word of four letters or more is also found with an ending, a longer one with others in place of
its last two letters. At least five must be the same."""

_WORD: Final = re.compile(r"\w+")

_SQLITE: Final = (
    # A passage's id is its rowid, which VACUUM keeps because it is an INTEGER PRIMARY KEY.
    """CREATE VIRTUAL TABLE IF NOT EXISTS passage_search USING fts5(
        base, heading, text, tokenize = "unicode61 remove_diacritics 2")""",
    """CREATE TRIGGER IF NOT EXISTS passage_search_insert AFTER INSERT ON agents_passage
    BEGIN
        INSERT INTO passage_search (rowid, base, heading, text)
            VALUES (new.id, substr(new.knowledge_base_id, 4), new.heading, new.text);
    END""",
    """CREATE TRIGGER IF NOT EXISTS passage_search_delete AFTER DELETE ON agents_passage
    BEGIN
        DELETE FROM passage_search WHERE rowid = old.id;
    END""",
    # Passages that were stored while triggers were missing. They are never changed.
    """INSERT INTO passage_search (rowid, base, heading, text)
        SELECT id, substr(knowledge_base_id, 4), heading, text FROM agents_passage
        WHERE id NOT IN (SELECT rowid FROM passage_search)""",
)

_POSTGRES: Final = (
    """ALTER TABLE agents_passage ADD COLUMN IF NOT EXISTS words tsvector
        GENERATED ALWAYS AS (to_tsvector('simple', heading || ' ' || text)) STORED""",
    "CREATE INDEX IF NOT EXISTS passages_by_words ON agents_passage USING gin (words)",
)


def install(using: str) -> None:
    """Create the missing parts of the index. Safe to repeat."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Looked up first: the statements lock the table, even if they have nothing to do.
            cursor.execute(
                "SELECT 1 FROM pg_indexes"
                " WHERE schemaname = current_schema() AND indexname = 'passages_by_words'"
            )
            if cursor.fetchone():
                return
        for statement in {"sqlite": _SQLITE, "postgresql": _POSTGRES}.get(connection.vendor, ()):
            cursor.execute(statement)


def after_migrate(using: str, **kwargs: Any) -> None:
    install(using)


def query_words(query: str) -> list[str]:
    """The words to look up, in lower case, each once. Function words if there are no others."""
    found = dict.fromkeys(word for word in _WORD.findall(query.lower()) if word.strip("_"))
    telling = [
        word for word in found if word not in STOP_WORDS and (len(word) > 1 or word.isdigit())
    ]
    return sorted(telling or found, key=len, reverse=True)[:MAX_WORDS]


def rank_by_words(base: KnowledgeBase, query: str, limit: int) -> list[int]:
    """Ids of the passages that hold the query's words, best first."""
    words = query_words(query)
    if not words:
        return []
    connection = connections[base._state.db or "default"]
    find = _in_postgresql if connection.vendor == "postgresql" else _in_sqlite
    with connection.cursor() as cursor:
        find(cursor, base.id, words, limit)
        return [row[0] for row in cursor.fetchall()]


def _beginning(word: str) -> str | None:
    """What a word has in common with its other forms; None: it is too short to say."""
    if len(word) < _SHORTEST or word.isdigit():
        return None
    return word[: max(_STEM, len(word) - 2)]


def _in_sqlite(cursor: Any, base_id: str, words: list[str], limit: int) -> None:
    terms = [f'"{word}"' for word in words]
    terms += [f'"{beginning}"*' for word in words if (beginning := _beginning(word))]
    match = f'base : "{base_id.removeprefix("kb_")}" AND {{heading text}} : ({" OR ".join(terms)})'
    cursor.execute(
        "SELECT rowid FROM passage_search WHERE passage_search MATCH %s"
        " ORDER BY bm25(passage_search, 0.0, 1.5, 1.0), rowid LIMIT %s",
        [match, limit],
    )


def _in_postgresql(cursor: Any, base_id: str, words: list[str], limit: int) -> None:
    """PostgreSQL's own ranking knows no frequencies of words: they are counted in the base."""
    terms = [
        f"'{word}' | '{beginning}':*" if (beginning := _beginning(word)) else f"'{word}'"
        for word in words
    ]
    places = range(len(terms))
    hits = ", ".join(f"words @@ to_tsquery('simple', %s) AS h{place}" for place in places)
    counts = ", ".join(f"count(*) FILTER (WHERE h{place}) AS n{place}" for place in places)
    score = " + ".join(
        f"CASE WHEN h{place} THEN ln(1 + (total - n{place} + 0.5) / (n{place} + 0.5)) ELSE 0 END"
        for place in places
    )
    cursor.execute(
        f"""WITH found AS MATERIALIZED (
            SELECT id, ts_rank(words, to_tsquery('simple', %s)) AS density, {hits}
            FROM agents_passage WHERE knowledge_base_id = %s AND words @@ to_tsquery('simple', %s)
        ), counted AS (
            SELECT {counts},
                (SELECT count(*) FROM agents_passage WHERE knowledge_base_id = %s) AS total
            FROM found
        )
        SELECT id FROM found, counted ORDER BY {score} + density DESC, id LIMIT %s""",  # noqa: S608 - only numbers
        [
            (every := " | ".join(f"({term})" for term in terms)),
            *terms,
            base_id,
            every,
            base_id,
            limit,
        ],
    )
