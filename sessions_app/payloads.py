"""The JSON objects of sessions, for the API and for webhook events alike."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from kallglot_site.accounts.tenancy import Tenant
from sessions_app.capabilities import Language
from sessions_app.engines.voices import Voice
from sessions_app.languages import NAMES
from sessions_app.models import Segment, Session, TranscriptTranslation
from webhooks_app.services import events_record

SESSION_CREATED = "session.created"
SESSION_STARTED = "session.started"
SESSION_ENDED = "session.ended"
TRANSCRIPT_SEGMENT = "transcript.segment"
TRANSCRIPT_READY = "transcript.ready"
TRANSLATION_SEGMENT = "translation.segment"


def moment(value: datetime.datetime | None) -> str | None:
    """ISO 8601 in UTC, with a final Z."""
    if value is None:
        return None
    return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def session_payload(session: Session, stream: dict[str, Any] | None = None) -> dict[str, Any]:
    """The session object. Without ``stream`` in events, and in other objects that have none."""
    payload: dict[str, Any] = {
        "id": session.id,
        "object": "session",
        "environment": session.environment,
        "status": session.status,
        "mode": session.mode,
        "source_language": session.source_language,
        "target_language": session.target_language,
        "stream": stream,
        "provider": {
            "type": session.provider_type,
            "phone_number": session.provider_phone_number,
            "call_sid": session.provider_call_sid,
            "status": session.provider_status,
        },
        "recording": {
            "enabled": session.recording_enabled,
            "channels": session.recording_channels,
        },
        "transcription": {
            "partials": session.partials,
            "vocabulary": session.vocabulary,
            "languages": session.languages,
        },
        "translation": {
            "barge_in": session.barge_in,
            "original_volume": session.original_volume,
            "voice": {"agent": session.agent_voice, "customer": session.customer_voice},
            "glossary": session.glossary,
            "subtitles": session.subtitles,
        },
        "transcript": {
            "available": session.segment_count > 0,
            "word_count": session.word_count,
        },
        "duration": round(session.duration, 3),
        "metadata": session.metadata,
        "created_at": moment(session.created_at),
        "started_at": moment(session.started_at),
        "ended_at": moment(session.ended_at),
        "end_reason": session.end_reason,
    }
    if stream is None:
        del payload["stream"]
    return payload


def segment_payload(segment: Segment, *, include_translation: bool = True) -> dict[str, Any]:
    """The segment object. Times are seconds on the session's timeline."""
    return {
        "id": segment.id,
        "speaker": segment.speaker,
        "language": segment.language,
        "text": segment.text,
        "translation": segment.translation if include_translation else None,
        "start_time": round(segment.start_time, 3),
        "end_time": round(segment.end_time, 3),
        "confidence": round(segment.confidence, 3),
        "source": segment.source,
        "interrupted": segment.interrupted,
    }


def transcript_payload(
    session: Session,
    segments: Iterable[Segment] | None,
    *,
    languages: tuple[str | None, str | None],
    include_translations: bool = True,
    translation: TranscriptTranslation | None = None,
) -> dict[str, Any]:
    """The transcript object. ``segments=None`` omits them, as in ``transcript.ready``.

    ``languages`` are those of the customer and the agent: ``selectors.transcript_languages``.
    ``translation`` says of which further language the segments have their translations.
    """
    payload: dict[str, Any] = {
        "object": "transcript",
        "session_id": session.id,
        "status": session.transcript_status,
        "language": {"source": languages[0], "target": languages[1]},
        "duration": round(session.duration, 3),
        "word_count": session.word_count,
    }
    if translation is not None:
        payload["translation"] = transcript_translation_payload(translation)
    if segments is not None:
        payload["segments"] = [
            segment_payload(segment, include_translation=include_translations)
            for segment in segments
        ]
    return payload


def transcript_translation_payload(translation: TranscriptTranslation) -> dict[str, Any]:
    """The translation of a whole transcript, without its segments."""
    return {
        "id": translation.id,
        "object": "transcript_translation",
        "session_id": translation.session_id,
        "language": translation.language,
        "status": translation.status,
        "error": translation.error,
        "created_at": moment(translation.created_at),
        "completed_at": moment(translation.completed_at),
    }


def language_payload(language: Language) -> dict[str, Any]:
    return {
        "id": language.code,
        "object": "language",
        "name": NAMES[language.code],
        "transcription": language.heard,
        "speech": language.spoken,
        "translates_to": list(language.translates_to),
        "via": dict(language.via),
    }


def voice_payload(voice: Voice) -> dict[str, Any]:
    return {
        "id": voice.name,
        "object": "voice",
        "language": voice.language,
        "engine": voice.engine,
    }


def session_event(type: str, session: Session, data: dict[str, Any] | None = None) -> None:
    """Record an event in the caller's transaction. ``data=None`` sends the session object."""
    session_events(type, session, [data if data is not None else session_payload(session)])


def session_events(type: str, session: Session, data: Sequence[dict[str, Any]]) -> None:
    """The same for several events of one type, in as many queries as for one."""
    events_record(
        tenant=Tenant(session.organization, session.environment),
        type=type,
        session_id=session.id,
        data=data,
    )
