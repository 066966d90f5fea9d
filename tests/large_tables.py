"""Rows enough in every table that grows for a planner to choose as it does in production."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any, Final

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from analysis_app.models import Analysis
from kallglot_site.accounts.models import AuditEntry, Organization
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.ids import new_id
from kallglot_site.api.models import IdempotentResponse, RequestCount
from kallglot_site.planner_statistics import MINIMUM_ROWS, statistics_refresh
from recordings_app.models import Assembly, Deletion, Recording, RecordingFile, SpoolPart
from sessions_app.models import (
    ReplacedOwner,
    Segment,
    Session,
    Track,
    TranscriptTranslation,
    TranslatedSegment,
)
from webhooks_app.models import Attempt, Delivery, Endpoint, Event, EventCounter

ROWS: Final = MINIMUM_ROWS + 2000
SPAN: Final = datetime.timedelta(days=730)
"""The age of the oldest session."""
LIVE: Final = 20
"""Of the latest sessions, how many are running calls."""

LARGE: Final = frozenset(
    model._meta.db_table
    for model in (
        Session,
        Segment,
        Track,
        TranscriptTranslation,
        TranslatedSegment,
        Event,
        EventCounter,
        Delivery,
        Attempt,
        Recording,
        RecordingFile,
        Assembly,
        SpoolPart,
        Deletion,
        Analysis,
        RequestCount,
        IdempotentResponse,
        AuditEntry,
    )
)
"""Tables that grow with the calls. Not ``ReplacedOwner``: its rows last seconds each."""


class LargeTables:
    """One organization with ``ROWS`` rows in every large table."""

    def __init__(self) -> None:
        self.organization = Organization.objects.create(name="Large")
        self.tenant = Tenant(self.organization, "live")
        self.now = timezone.now()
        self._filters = {"organization": self.organization, "environment": "live"}
        self.sessions = self._fill(Session, self._session)
        self.segments = self._fill(Segment, self._segment)
        self.tracks = self._fill(Track, self._track)
        ReplacedOwner.objects.bulk_create(
            ReplacedOwner(track=track, generation=0, lease_expires_at=self.now)
            for track in self.tracks[-3:]
        )
        self.endpoints = Endpoint.objects.bulk_create(
            Endpoint(**self._filters, url=f"https://203.0.114.1/{number}", events=["*"])
            for number in range(25)
        )
        self.events = self._fill(Event, self._event)
        self._fill(EventCounter, lambda n: {"session_id": self.sessions[n].id, "latest": 1})
        self.deliveries = self._fill(Delivery, self._delivery)
        self._fill(Attempt, self._attempt)
        self.recordings = self._fill(Recording, self._recording)
        self._fill(RecordingFile, self._recording_file)
        self._fill(Assembly, self._assembly)
        self._fill(SpoolPart, self._spool_part)
        self._fill(Deletion, self._deletion)
        self._fill(Analysis, self._analysis)
        self.translations = self._fill(TranscriptTranslation, self._translation)
        self._fill(TranslatedSegment, self._translated_segment)
        self._fill(AuditEntry, self._audit_entry)
        self._fill(RequestCount, lambda n: {"name": f"key_{n}", "window": self._window(n)})
        self._fill(IdempotentResponse, self._answer)
        # At once: otherwise each test checks all foreign keys again when it ends.
        connection.check_constraints()
        _statistics_gather()

    def _fill(self, model: type[Any], values: Callable[[int], dict[str, Any]]) -> list[Any]:
        def rows() -> Iterator[Model]:
            for number in range(ROWS):
                yield model(**values(number))

        return list(model.objects.bulk_create(rows(), batch_size=1000))

    def _at(self, number: int, span: datetime.timedelta = SPAN) -> datetime.datetime:
        return self.now - span * ((ROWS - number) / ROWS)

    def _window(self, number: int) -> int:
        """Nearly all counts are of the last half an hour."""
        return int(self.now.timestamp()) - (7200 if number < 10 else number % 1800)

    def _session(self, number: int) -> dict[str, Any]:
        at, left = self._at(number), ROWS - number
        live, unused, draining = left <= LIVE, left in (30, 31), left in (40, 41)
        return {
            **self._filters,
            "id": new_id("sess", at),
            "status": "active" if live else "created" if unused else "ended",
            "transcript_status": "in_progress" if live or unused or draining else "complete",
            "mode": "transcription" if number % 3 else "assistive_translation",
            "created_at": at,
            "started_at": None if unused else at,
            "ended_at": None if live or unused else at,
            "last_audio_at": None if unused else self.now if live else at,
            "duration": 60.0,
            "segment_count": 1,
            "sentiment": (None, "neutral", "positive")[number % 3],
            "compliance_passed": (None, True, number % 1000 != 1)[number % 3],
            "source_language": "en",
            "metadata": {"customer_id": f"cust_{number}"},
        }

    def _segment(self, number: int) -> dict[str, Any]:
        return {
            "id": new_id("seg", self._at(number)),
            "session": self.sessions[number],
            "sequence": 1,
            "speaker": "customer",
            "language": "en",
            "text": f"word{number % 500} and order",
            "start_time": 0.0,
            "end_time": 2.0,
            "confidence": 0.9,
        }

    def _track(self, number: int) -> dict[str, Any]:
        """Those of running calls have an owner; the leases of the first few have run out."""
        left, minute = ROWS - number, datetime.timedelta(minutes=1)
        live, expired = left <= LIVE, left <= LIVE // 4
        return {
            "id": new_id("trk", self._at(number)),
            "session": self.sessions[number],
            "speaker": "customer",
            "language": "en",
            "generation": 1,
            "owner": "gateway" if live else "",
            "lease_expires_at": self.now + (-minute if expired else minute) if live else None,
            "found_expired_at": self.now - minute if expired else None,
        }

    def _month(self, number: int) -> datetime.datetime:
        """Within the retention of events, except for a few that are older."""
        days = datetime.timedelta(days=40 if number < 50 else 29)
        return self._at(0, days) if number < 50 else self._at(number, days)

    def _event(self, number: int) -> dict[str, Any]:
        at = self._month(number)
        return {
            **self._filters,
            "id": new_id("evt", at),
            "type": ("session.created", "session.ended", "transcript.segment")[number % 3],
            "session_id": self.sessions[number].id,
            "sequence": 1,
            "data": {},
            "created_at": at,
        }

    def _delivery(self, number: int) -> dict[str, Any]:
        at, pending = self._month(number), number >= ROWS - 50
        return {
            "id": new_id("whd", at),
            "event": self.events[number],
            "endpoint": self.endpoints[number % 5],
            "session_id": self.sessions[number].id,
            "sequence": 1,
            "status": "pending" if pending else "failed" if number % 100 == 7 else "delivered",
            "attempts": 0 if pending else 1,
            "next_attempt_at": at if pending else None,
            "created_at": at,
        }

    def _attempt(self, number: int) -> dict[str, Any]:
        return {
            "delivery": self.deliveries[number],
            "endpoint": self.deliveries[number].endpoint,
            "number": 1,
            "at": self._month(number),
            "duration_ms": 80,
            "status_code": 200,
            "succeeded": True,
        }

    def _recording(self, number: int) -> dict[str, Any]:
        at = self._at(number)
        return {
            **self._filters,
            "id": new_id("rec", at),
            "session": self.sessions[number],
            "channel": "mixed",
            "status": "processing" if number >= ROWS - LIVE else "ready",
            "format": "mp3",
            "created_at": at,
            "expires_at": at if number < 3 else self.now + datetime.timedelta(days=1 + number % 90),
        }

    def _recording_file(self, number: int) -> dict[str, Any]:
        return {
            "recording": self.recordings[number],
            "format": "mp3",
            "sample_rate": 8000,
            "status": "ready",
            "name": f"recordings/{number}.mp3",
        }

    def _assembly(self, number: int) -> dict[str, Any]:
        return {"session": self.sessions[number], "status": "done"}

    def _spool_part(self, number: int) -> dict[str, Any]:
        return {
            "session": self.sessions[number],
            "part": "customer-1-1",
            "name": f"spool/{number}",
            "size": 1,
            "sha256": "",
            "is_last": True,
        }

    def _deletion(self, number: int) -> dict[str, Any]:
        wait = datetime.timedelta(hours=0 if number < 5 else 1 + number % 6)
        return {
            "kind": "file" if number % 2 else "spool",
            "name": f"recordings/gone-{number}",
            "due_at": self.now + wait,
        }

    def _analysis(self, number: int) -> dict[str, Any]:
        at = self._at(number)
        return {
            **self._filters,
            "id": new_id("ana", at),
            "session": self.sessions[number],
            "status": "failed" if number % 100 == 3 else "complete",
            "analyses": ["summary"],
            "engine": "local",
            "created_at": at,
            "started_at": at,
            "completed_at": at,
        }

    def _translation(self, number: int) -> dict[str, Any]:
        at = self._at(number)
        return {
            "id": new_id("trn", at),
            "session": self.sessions[number],
            "language": "de",
            "status": "failed" if number % 100 == 3 else "complete",
            "created_at": at,
            "completed_at": at,
        }

    def _translated_segment(self, number: int) -> dict[str, Any]:
        return {
            "translation": self.translations[number],
            "segment": self.segments[number],
            "text": "Hallo.",
        }

    def _audit_entry(self, number: int) -> dict[str, Any]:
        return {
            "id": new_id("aud", self._at(number)),
            "organization": self.organization,
            "action": "session.ended",
        }

    def _answer(self, number: int) -> dict[str, Any]:
        hours = datetime.timedelta(hours=30 if number < 20 else 23)
        return {
            **self._filters,
            "key": f"key-{number}",
            "fingerprint": "",
            "status": 201,
            "body": b"sealed",
            "about": self.sessions[number].id,
            "created_at": self._at(number if number >= 20 else 0, hours),
        }


def _statistics_gather() -> None:
    """As production does: the hourly refresh on SQLite, autovacuum on PostgreSQL."""
    statistics_refresh()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
