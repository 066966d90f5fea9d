"""Fills a database with years of calls for ``pages.py``.

The words follow Zipf's law as speech does: a few are in most lines, most are in very few. Rows are
written in batches over all tables, from the oldest to the newest.
"""

import datetime
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

VOCABULARY = 30_000
NAMED = {
    0: "the",
    1: "to",
    2: "you",
    3: "is",
    20: "order",
    200: "number",
    1000: "refund",
    8000: "warranty",
}
"""Words that the benchmark searches for, by rank."""
RAREST = "zeppelin"
LONG_CALL = 1000  # segments
SPACING = 30.0  # seconds between two calls
BATCH = 50_000  # sessions
ENDPOINTS = 25

_SYLLABLES = [c + v for c in "bcdfghjklmnprstvz" for v in "aeiou"]
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

Rows = list[tuple[Any, ...]]


def words() -> list[str]:
    """Words by rank: the rank in base 85, with syllables as digits."""
    made = [
        _SYLLABLES[n % 85] + _SYLLABLES[n // 85 % 85] + _SYLLABLES[(n // 7225 + 11) % 85]
        for n in range(VOCABULARY)
    ]
    for rank, word in NAMED.items():
        made[rank] = word
    return made


def identifier(prefix: str, at: datetime.datetime, number: int) -> str:
    """An id made at ``at``. Decimal digits are valid in base 32 too."""
    rest, time = int(at.timestamp() * 1000), ""
    for _ in range(10):
        time = _CROCKFORD[rest & 31] + time
        rest >>= 5
    return f"{prefix}_{time}{number:016d}"


class Years:
    """``sessions`` calls up to now, half a minute apart, with all their rows."""

    def __init__(self, sessions: int, organization_id: str, actor_id: int) -> None:
        self.sessions = sessions
        self.organization_id = organization_id
        self.actor_id = actor_id
        self.now = datetime.datetime.now(datetime.UTC)
        self.words = np.array(words(), dtype=object)
        weights = 1 / (np.arange(VOCABULARY) + 1.0)
        self._steps = np.cumsum(weights / weights.sum())
        self._random = np.random.default_rng(7)
        self.long_call = self.identifier_of(sessions // 2)
        self.endpoints = [identifier("wh", self._at(0), n) for n in range(ENDPOINTS)]

    def found(self) -> None:
        """Use the calls of an earlier run. The last of them ended when that run began."""
        from sessions_app.models import Session

        latest = Session.objects.order_by("-id").first()
        assert latest is not None
        self.now = latest.created_at + datetime.timedelta(seconds=SPACING)
        self.long_call = self.identifier_of(self.sessions // 2)
        self.endpoints = [identifier("wh", self._at(0), n) for n in range(ENDPOINTS)]

    def identifier_of(self, number: int) -> str:
        """The id of a call, counted from the oldest."""
        return identifier("sess", self._at(number), number)

    def _at(self, number: int) -> datetime.datetime:
        return self.now - datetime.timedelta(seconds=SPACING * (self.sessions - number))

    def texts(self, count: int) -> list[str]:
        """Lines of six to fourteen words."""
        lengths = self._random.integers(6, 15, count)
        ranks = np.searchsorted(self._steps, self._random.random(int(lengths.sum())))
        spoken = self.words[np.minimum(ranks, VOCABULARY - 1)]
        ends = np.cumsum(lengths)
        return [" ".join(spoken[a:b]) for a, b in zip(ends - lengths, ends, strict=True)]

    def batches(self) -> Iterator[dict[str, tuple[str, Rows]]]:
        """Per batch, by table: its columns and rows."""
        for start in range(0, self.sessions, BATCH):
            yield self._batch(range(start, min(start + BATCH, self.sessions)))

    def _batch(self, numbers: range) -> dict[str, tuple[str, Rows]]:
        chance = random.Random(numbers.start)
        tables: dict[str, Rows] = {name: [] for name in COLUMNS}
        counts = self._random.integers(1, 6, len(numbers))
        lines = iter(self.texts(int(counts.sum()) + LONG_CALL))
        tenant = (self.organization_id, "live")
        for number, count in zip(numbers, counts, strict=True):
            at = self._at(number)
            session = identifier("sess", at, number)
            if session == self.long_call:
                count = LONG_CALL
            said = [next(lines) for _ in range(count)]
            if number in (self.sessions // 3, self.sessions // 4, self.sessions // 5):
                said[0] += " " + RAREST
            live = number >= self.sessions - 8
            tables["sessions_app_session"].append(
                self._session(session, at, number, said, live, chance)
            )
            for index, text in enumerate(said):
                speaker = "agent" if index % 2 else "customer"
                tables["sessions_app_segment"].append(
                    (
                        identifier("seg", at, number * 1000 + index),
                        session,
                        index + 1,
                        speaker,
                        "en",
                        text,
                        None,
                        index * 4.0,
                        index * 4.0 + 3.5,
                        0.9,
                        at + datetime.timedelta(seconds=index * 4.0 + 4.0),
                    )
                )
            language = chance.choice(("es", "de", "en"))
            tables["sessions_app_track"].append(
                (
                    identifier("trk", at, number),
                    session,
                    "customer",
                    "",
                    1,
                    count * 4.0,
                    language,
                    False,
                )
            )
            self._consequences(tables, tenant, session, at, number, chance)
        return {name: (COLUMNS[name], rows) for name, rows in tables.items()}

    def _session(
        self,
        session: str,
        at: datetime.datetime,
        number: int,
        said: list[str],
        live: bool,
        chance: random.Random,
    ) -> tuple[Any, ...]:
        luck = chance.random()
        sentiment = None if luck < 0.5 else "neutral" if luck < 0.9 else "positive"
        duration = len(said) * 4.0 + (7200.0 if number % 50_000 == 7 else 0.0)
        return (
            session,
            self.organization_id,
            "live",
            "active" if live else "ended",
            "transcription" if luck < 0.7 else "assistive_translation",
            "pt" if number % 200_000 == 5 else "en",
            None,
            "websocket",
            "completed",
            False,
            "mixed",
            False,
            True,
            "[]",
            json.dumps({"customer_id": f"cust_{number}", "queue": "sales"}),
            duration,
            sum(len(text.split()) for text in said),
            "in_progress" if live else "complete",
            len(said),
            at,
            at,
            None if live else at + datetime.timedelta(seconds=duration),
            None if live else "completed",
            at + datetime.timedelta(seconds=duration),
            "negative" if number % 100_000 == 9 else sentiment,
            None if luck < 0.5 else number % 100_000 != 11,
        )

    def _consequences(
        self,
        tables: dict[str, Rows],
        tenant: tuple[str, str],
        session: str,
        at: datetime.datetime,
        number: int,
        chance: random.Random,
    ) -> None:
        """The events; for every other call a delivery, and for some an analysis and a recording.

        ``session.created`` has no delivery.
        """
        event, delivery = identifier("evt", at, number), identifier("whd", at, number)
        failed = chance.random() < 0.01
        status = "failed" if failed else "delivered"
        usual = "session.created" if number % 4 == 1 else "session.ended"
        kind = "analysis.failed" if number % 200_000 == 4 else usual
        tables["webhooks_app_event"].append((event, *tenant, kind, session, 1, "{}", at))
        if number % 2:
            return
        tables["webhooks_app_delivery"].append(
            (delivery, event, self.endpoints[0], session, 1, status, 1, 1, None, "", at)
        )
        tables["webhooks_app_attempt"].append(
            (
                delivery,
                self.endpoints[0],
                1,
                at,
                80,
                502 if failed else 200,
                "{}",
                "{}",
                "",
                not failed,
            )
        )
        if number % 6 == 0:
            tables["analysis_app_analysis"].append(
                (
                    identifier("ana", at, number),
                    *tenant,
                    session,
                    status if failed else "complete",
                    '["summary"]',
                    "en",
                    "{}",
                    "",
                    True,
                    "local",
                    "{}",
                    1,
                    at,
                    "",
                    at,
                    at,
                    at,
                    at,
                )
            )
        if number % 5 == 0:
            tables["recordings_app_recording"].append(
                (
                    identifier("rec", at, number),
                    session,
                    *tenant,
                    "mixed",
                    "failed" if failed else "ready",
                    60.0,
                    "mp3",
                    1,
                    8000,
                    1,
                    "{}",
                    "",
                    at,
                    at,
                )
            )
        if number % 10 == 0:
            tables["accounts_auditentry"].append(
                (
                    identifier("aud", at, number),
                    self.organization_id,
                    self.actor_id,
                    "owner@example.com",
                    "session.ended",
                    session,
                    "",
                    "live",
                    at,
                )
            )


COLUMNS = {
    "sessions_app_session": "id organization_id environment status mode source_language"
    " target_language provider_type provider_status recording_enabled recording_channels"
    " recording_paused partials vocabulary metadata duration word_count transcript_status"
    " segment_count created_at started_at ended_at end_reason last_audio_at sentiment"
    " compliance_passed",
    "sessions_app_segment": "id session_id sequence speaker language text translation start_time"
    " end_time confidence created_at",
    "sessions_app_track": "id session_id speaker owner generation position language pause_applied",
    "webhooks_app_event": "id organization_id environment type session_id sequence data created_at",
    "webhooks_app_delivery": "id event_id endpoint_id session_id sequence status attempts tries"
    " next_attempt_at claim_id created_at",
    "webhooks_app_attempt": "delivery_id endpoint_id number at duration_ms status_code"
    " request_headers response_headers response_body succeeded",
    "analysis_app_analysis": "id organization_id environment session_id status analyses language"
    " custom_prompts webhook_url is_automatic engine results attempts due_at claim created_at"
    " started_at estimated_completion completed_at",
    "recordings_app_recording": "id session_id organization_id environment channel status duration"
    " format size sample_rate audio_channels peaks failure created_at expires_at",
    "accounts_auditentry": "id organization_id actor_id actor_email action target detail"
    " environment created_at",
}


def fill(years: Years) -> None:
    """Write all rows, then build the search index, as an upgrade does."""
    from django.db import connection

    from sessions_app.search.index import install

    with connection.cursor() as cursor:
        postgres = connection.vendor == "postgresql"
        if postgres:
            cursor.execute("SET session_replication_role = replica")  # no checks of foreign keys
            cursor.execute("DROP INDEX IF EXISTS segments_by_words")
        else:
            cursor.execute("PRAGMA foreign_keys = OFF")
            cursor.execute("PRAGMA synchronous = OFF")
            cursor.execute("PRAGMA cache_size = -400000")
            cursor.execute("DROP TRIGGER segment_search_insert")
        for batch in years.batches():
            if not postgres:
                cursor.execute("BEGIN")
            for table, (columns, rows) in batch.items():
                (_copy if postgres else _insert)(cursor, table, columns.split(), rows)
            if not postgres:
                cursor.execute("COMMIT")
        if postgres:
            cursor.execute("SET session_replication_role = DEFAULT")
            cursor.execute("SET maintenance_work_mem = '1GB'")
        install("default")
        if postgres:
            cursor.execute("VACUUM ANALYZE")  # as autovacuum does; on SQLite nothing does
    connection.close()


def _copy(cursor: Any, table: str, columns: list[str], rows: Rows) -> None:
    def text(value: Any) -> str:
        return r"\N" if value is None else str(value)

    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for start in range(0, len(rows), 1000):
            chunk = rows[start : start + 1000]
            copy.write("".join("\t".join(map(text, row)) + "\n" for row in chunk))


def _insert(cursor: Any, table: str, columns: list[str], rows: Rows) -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, datetime.datetime):
            return value.replace(tzinfo=None).isoformat(sep=" ")
        return value

    marks = ", ".join(["?"] * len(columns))
    cursor.cursor.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
        [tuple(map(plain, row)) for row in rows],
    )
