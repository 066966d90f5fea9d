"""The dashboard's list of sessions: every filter that it offers, and the hits to show beside."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from django.db import connections
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from kallglot_site.accounts.tenancy import Tenant
from sessions_app.models import Segment, Session, Track
from sessions_app.search.index import lines_holding, sessions_with
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

    def is_checked(self, using: str) -> bool:
        """Whether sessions must be read to know which of them meet it: no index does."""
        return (
            bool(self.language)
            or self.compliance == "passed"
            or self.shortest is not None
            or self.longest is not None
            or (self.metadata is not None and connections[using].vendor != "postgresql")
        )


def session_find(*, tenant: Tenant, criteria: Criteria) -> QuerySet[Session]:
    """The tenant's sessions that meet all of it, unordered, to be read whole in whatever time.

    A page of them: ``search.pages``.
    """
    sessions = sessions_checked(sessions_indexed(tenant=tenant, criteria=criteria), criteria)
    return sessions_with(sessions, criteria.terms) if criteria.terms else sessions


def sessions_indexed(*, tenant: Tenant, criteria: Criteria) -> QuerySet[Session]:
    """Narrowed by what an index of the list answers."""
    sessions = session_list(
        tenant=tenant,
        status=criteria.status or None,
        mode=criteria.mode or None,
        created_after=criteria.created_after,
        created_before=criteria.created_before,
    )
    if criteria.sentiment:
        sessions = sessions.filter(sentiment=criteria.sentiment)
    if criteria.compliance == "failed":
        sessions = sessions.filter(compliance_passed=False)
    if criteria.metadata is not None and connections[sessions.db].vendor == "postgresql":
        key, value = criteria.metadata
        sessions = sessions.filter(metadata__contains={key: value})
    return sessions


def sessions_checked(sessions: QuerySet[Session], criteria: Criteria) -> QuerySet[Session]:
    """Narrowed by what is seen only by reading a session. Words are apart: ``search.index``."""
    if criteria.language:
        heard = Track.objects.filter(session=OuterRef("pk"), language=criteria.language)
        # Not Exists: the planner would read the tracks of all sessions to ask none.
        sessions = sessions.annotate(heard=Subquery(heard.values("language")[:1]))
        sessions = sessions.filter(_promised(criteria.language) | Q(heard__isnull=False))
    if criteria.compliance == "passed":
        sessions = sessions.filter(compliance_passed=True)
    if criteria.shortest is not None:
        sessions = sessions.filter(duration__gte=criteria.shortest)
    if criteria.longest is not None:
        sessions = sessions.filter(duration__lte=criteria.longest)
    if criteria.metadata is not None and connections[sessions.db].vendor != "postgresql":
        key, value = criteria.metadata
        # A key may hold anything, dots and double underscores too: compare it as a whole.
        sessions = sessions.extra(
            where=[
                "EXISTS (SELECT 1 FROM json_each(sessions_app_session.metadata) pair"
                " WHERE pair.key = %s AND pair.value = %s)"
            ],
            params=[key, value],
        )
    return sessions


def _promised(language: str) -> Q:
    """Either party speaks it, as said at creation; ``es`` includes ``es-MX``."""
    promised = Q()
    for column in ("source_language", "target_language"):
        promised |= Q(**{column: language}) | Q(**{f"{column}__startswith": f"{language}-"})
    return promised


@dataclass(frozen=True, slots=True)
class Hit:
    """A line in which the words were found, cut into pieces for marking."""

    segment_id: str
    start_time: float
    speaker: str
    pieces: list[Piece]


def hits_in(sessions: Iterable[Session], terms: list[Term]) -> dict[str, list[Hit]]:
    """The first lines of each session that hold the words, by the session's id. One query."""
    found = lines_holding(Segment.objects.all(), [each.id for each in sessions], terms).annotate(
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
