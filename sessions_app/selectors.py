"""Reads of sessions, filtered by tenant."""

import datetime

from django.db.models import OuterRef, QuerySet, Subquery

from kallglot_site.accounts.models import User
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.errors import NotFound
from kallglot_site.api.ids import id_floor, is_id
from kallglot_site.api.lookup import get_or_not_found
from sessions_app.languages import NAMES, base_language
from sessions_app.models import Segment, Session, Track, TranscriptTranslation

# An id's time and its row's created_at are not taken at the same moment.
_SLACK = 2.0  # seconds
_BY_TIME = ("start_time", "id")


def sessions_of(tenant: Tenant) -> QuerySet[Session]:
    return Session.objects.filter(**tenant.filters)


def session_list(
    *,
    tenant: Tenant,
    status: str | None = None,
    mode: str | None = None,
    created_after: datetime.datetime | None = None,
    created_before: datetime.datetime | None = None,
) -> QuerySet[Session]:
    """The tenant's sessions, unordered. Bounds on time are exclusive.

    Times also become bounds on the id: the list's index ends in the id, so that an old page costs
    as little as a recent one.
    """
    sessions = sessions_of(tenant)
    if status is not None:
        sessions = sessions.filter(status=status)
    if mode is not None:
        sessions = sessions.filter(mode=mode)
    if created_after is not None:
        floor = id_floor("sess", created_after, -_SLACK)
        sessions = sessions.filter(created_at__gt=created_after, id__gte=floor)
    if created_before is not None:
        ceiling = id_floor("sess", created_before, _SLACK)
        sessions = sessions.filter(created_at__lt=created_before, id__lt=ceiling)
    return sessions


def session_get(*, tenant: Tenant, session_id: str) -> Session:
    """Raises NotFound for unknown and malformed ids, and for other tenants' sessions."""
    return get_or_not_found(sessions_of(tenant), session_id, prefix="sess", kind="session")


def session_visible_to(*, user: User, session_id: str) -> Session | None:
    """The session, of either environment, if the user is a member of its organization."""
    if not is_id(session_id, "sess"):
        return None
    return (
        Session.objects.select_related("organization")
        .filter(pk=session_id, organization__memberships__user=user)
        .first()
    )


def session_running(*, session_id: str) -> Session | None:
    """The session of any tenant unless it has ended. For people with a signed link only."""
    sessions = Session.objects.select_related("organization").exclude(status=Session.Status.ENDED)
    return sessions.filter(pk=session_id, organization__suspended_at=None).first()


def sessions_live_label(tenant: Tenant) -> str:
    """For the navigation: "3 live", or an empty string."""
    count = sessions_of(tenant).filter(status=Session.Status.ACTIVE).count()
    return f"{count} live" if count else ""


def session_get_with_languages(*, tenant: Tenant, session_id: str) -> Session:
    """``session_get`` with what ``transcript_languages`` needs, in the same query."""
    sessions = sessions_of(tenant).annotate(
        customer_language=_track_language("customer"), agent_language=_track_language("agent")
    )
    return get_or_not_found(sessions, session_id, prefix="sess", kind="session")


def _track_language(speaker: str) -> Subquery:
    tracks = Track.objects.filter(session=OuterRef("pk"), speaker=speaker)
    return Subquery(tracks.values("language")[:1])


def transcript_languages(session: Session) -> tuple[str | None, str | None]:
    """The customer's and the agent's language: as given at creation, else as detected."""
    source, target = session.source_language, session.target_language
    if source is not None and target is not None:
        return source, target
    if hasattr(session, "customer_language"):
        detected = {"customer": session.customer_language, "agent": session.agent_language}  # type: ignore[attr-defined]  # annotated
    else:
        tracks = Track.objects.filter(session=session)
        detected = dict(tracks.values_list("speaker", "language"))
    return source or detected.get("customer"), target or detected.get("agent")


def transcript_segments(session: Session) -> QuerySet[Segment]:
    """The transcript's segments, ordered by time."""
    return Segment.objects.filter(session=session).order_by(*_BY_TIME)


def transcript_translation_get(*, session: Session, language: str) -> TranscriptTranslation:
    """The session's transcript in ``language``; its region is ignored.

    Raises NotFound: it was not asked for.
    """
    found = TranscriptTranslation.objects.filter(session=session, language=base_language(language))
    translation = found.first()
    if translation is None:
        raise NotFound(f"translation of this transcript into `{base_language(language)}`")
    return translation


def languages_translated_into(session: Session) -> dict[str, str]:
    """The names of the further languages in which the whole transcript is translated, by code."""
    if not session.is_ended:
        return {}
    complete = session.translations.filter(status=TranscriptTranslation.Status.COMPLETE)
    codes = complete.order_by("language").values_list("language", flat=True)
    return {code: NAMES.get(code, code) for code in codes}


def segments_translated(translation: TranscriptTranslation) -> list[Segment]:
    """The transcript's segments with the texts of ``translation`` instead of their own
    translations. None: not translated yet, spoken in that language, or not translatable."""
    texts = dict(translation.segments.values_list("segment_id", "text"))
    segments = list(Segment.objects.filter(session=translation.session_id).order_by(*_BY_TIME))
    for segment in segments:
        segment.translation = texts.get(segment.id)
    return segments
