"""The dashboard's list of sessions: every filter that it offers, and the hits to show beside."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from django.db import connections
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from kallglot_site.accounts.tenancy import Tenant
from sessions_app.models import Segment, Session, Track
from sessions_app.search.index import segments_with, sessions_with
from sessions_app.search.terms import Piece, Term, highlighted
from sessions_app.selectors import session_list

HITS_PER_SESSION: Final = 2
AROUND: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a list is narrowed to. Empty values narrow nothing; durations are in seconds."""

    terms: list[Term] = field(default_factory=list)
    status: str = ""
    mode: str = ""
    language: str = ""
    created_after: datetime.datetime | None = None
    created_before: datetime.datetime | None = None
    shortest: float | None = None
    longest: float | None = None
    sentiment: str = ""
    compliance: str = ""  # "passed" or "failed"
    metadata: tuple[str, str] | None = None


def session_find(*, tenant: Tenant, criteria: Criteria) -> QuerySet[Session]:
    """The tenant's sessions that meet all of it, unordered."""
    sessions = session_list(
        tenant=tenant,
        status=criteria.status or None,
        mode=criteria.mode or None,
        created_after=criteria.created_after,
        created_before=criteria.created_before,
    )
    if criteria.language:
        sessions = sessions.filter(_speaks(criteria.language))
    if criteria.shortest is not None:
        sessions = sessions.filter(duration__gte=criteria.shortest)
    if criteria.longest is not None:
        sessions = sessions.filter(duration__lte=criteria.longest)
    if criteria.sentiment:
        sessions = sessions.filter(sentiment=criteria.sentiment)
    if criteria.compliance:
        sessions = sessions.filter(compliance_passed=criteria.compliance == "passed")
    if criteria.metadata is not None:
        sessions = _with_metadata(sessions, *criteria.metadata)
    if criteria.terms:
        sessions = sessions_with(sessions, criteria.terms)
    return sessions


def _speaks(language: str) -> Q:
    """Either party, as promised at creation or as heard; ``es`` includes ``es-MX``."""
    promised = Q()
    for column in ("source_language", "target_language"):
        promised |= Q(**{column: language}) | Q(**{f"{column}__startswith": f"{language}-"})
    heard = Track.objects.filter(session=OuterRef("pk"), language=language)
    return promised | Q(Exists(heard))


def _with_metadata(sessions: QuerySet[Session], key: str, value: str) -> QuerySet[Session]:
    if connections[sessions.db].vendor == "postgresql":
        return sessions.filter(metadata__contains={key: value})  # through the GIN index
    # A key may hold anything, dots and double underscores too: compare it as a whole.
    return sessions.extra(
        where=[
            "EXISTS (SELECT 1 FROM json_each(sessions_app_session.metadata) pair"
            " WHERE pair.key = %s AND pair.value = %s)"
        ],
        params=[key, value],
    )


@dataclass(frozen=True, slots=True)
class Hit:
    """A line in which the words were found, cut into pieces for marking."""

    segment_id: str
    start_time: float
    speaker: str
    pieces: list[Piece]


def hits_in(sessions: Iterable[Session], terms: list[Term]) -> dict[str, list[Hit]]:
    """The first lines of each session that hold the words, by the session's id. One query."""
    within = Segment.objects.filter(session__in=list(sessions))
    found = segments_with(within, terms).annotate(
        place=Window(RowNumber(), partition_by=F("session_id"), order_by=[F("start_time"), F("id")])
    )
    hits: dict[str, list[Hit]] = {}
    for segment in found.filter(place__lte=HITS_PER_SESSION).order_by("session_id", "place"):
        pieces = highlighted(segment.text, terms, AROUND)
        if segment.translation and not any(piece.hit for piece in pieces):
            pieces = highlighted(segment.translation, terms, AROUND)
        hit = Hit(segment.id, segment.start_time, segment.speaker, pieces)
        hits.setdefault(segment.session_id, []).append(hit)
    return hits
