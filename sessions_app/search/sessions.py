"""The filters of the dashboard's list of sessions, and the search hits shown in it."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from django.db import connections
from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber

from kallglot_site.accounts.tenancy import Tenant
from sessions_app.models import Segment, Session, Track
from sessions_app.search.index import segments_matching_in, sessions_matching
from sessions_app.search.terms import Piece, Term, highlighted
from sessions_app.selectors import session_list

HITS_PER_SESSION: Final = 2
AROUND: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """The filters of a list. Empty values do not filter; durations are in seconds."""

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

    def needs_scan(self, using: str) -> bool:
        """Whether sessions must be read to apply the filters, because no index covers them."""
        return (
            bool(self.language)
            or self.compliance == "passed"
            or self.shortest is not None
            or self.longest is not None
            or (self.metadata is not None and connections[using].vendor != "postgresql")
        )


def session_find(*, tenant: Tenant, criteria: Criteria) -> QuerySet[Session]:
    """All of the tenant's sessions that match, unordered. The time is not bounded.

    For one page: ``search.pages``.
    """
    sessions = sessions_filtered_by_scan(
        sessions_filtered_by_index(tenant=tenant, criteria=criteria), criteria
    )
    return sessions_matching(sessions, criteria.terms) if criteria.terms else sessions


def sessions_filtered_by_index(*, tenant: Tenant, criteria: Criteria) -> QuerySet[Session]:
    """The tenant's sessions, with the filters that an index covers."""
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


def sessions_filtered_by_scan(sessions: QuerySet[Session], criteria: Criteria) -> QuerySet[Session]:
    """``sessions`` with the filters that need a scan. Words are searched in ``search.index``."""
    if criteria.language:
        heard = Track.objects.filter(session=OuterRef("pk"), language=criteria.language)
        # Not Exists: the planner would read the tracks of all sessions first.
        sessions = sessions.annotate(heard=Subquery(heard.values("language")[:1]))
        sessions = sessions.filter(_spoken_in(criteria.language) | Q(heard__isnull=False))
    if criteria.compliance == "passed":
        sessions = sessions.filter(compliance_passed=True)
    if criteria.shortest is not None:
        sessions = sessions.filter(duration__gte=criteria.shortest)
    if criteria.longest is not None:
        sessions = sessions.filter(duration__lte=criteria.longest)
    if criteria.metadata is not None and connections[sessions.db].vendor != "postgresql":
        key, value = criteria.metadata
        # A key may hold dots and double underscores, which Django lookups would split.
        sessions = sessions.extra(
            where=[
                "EXISTS (SELECT 1 FROM json_each(sessions_app_session.metadata) pair"
                " WHERE pair.key = %s AND pair.value = %s)"
            ],
            params=[key, value],
        )
    return sessions


def _spoken_in(language: str) -> Q:
    """The session was created with this language for a party; ``es`` includes ``es-MX``."""
    requested = Q()
    for column in ("source_language", "target_language"):
        requested |= Q(**{column: language}) | Q(**{f"{column}__startswith": f"{language}-"})
    return requested


@dataclass(frozen=True, slots=True)
class Hit:
    """A segment that contains the words, split into pieces to highlight them."""

    segment_id: str
    start_time: float
    speaker: str
    pieces: list[Piece]


def hits_in(sessions: Iterable[Session], terms: list[Term]) -> dict[str, list[Hit]]:
    """The first segments of each session that contain the words, by session id. One query."""
    found = segments_matching_in(
        Segment.objects.all(), [each.id for each in sessions], terms
    ).annotate(
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
