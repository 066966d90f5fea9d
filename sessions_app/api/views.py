"""Sessions over REST. Rules are in services and selectors."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from kallglot_site.accounts.models import Scope
from kallglot_site.api.idempotency import idempotent
from kallglot_site.api.links import stream_url
from kallglot_site.api.operations import Answer, header, operation
from kallglot_site.api.viewsets import V1ViewSet
from sessions_app import capabilities, selectors, services
from sessions_app.api.schema import CREATE_EXAMPLE, SESSION_EXAMPLE
from sessions_app.api.serializers import (
    SessionEndInput,
    SessionInput,
    SessionListQuery,
    TranscriptQuery,
    TranscriptTranslateInput,
    VoiceListQuery,
)
from sessions_app.errors import TranscriptUnavailable
from sessions_app.models import Segment, Session, TranscriptTranslation
from sessions_app.payloads import (
    language_payload,
    moment,
    session_payload,
    transcript_payload,
    transcript_translation_payload,
    voice_payload,
)
from sessions_app.services.transcript_translations import transcript_translation_request
from sessions_app.streaming.wire.tokens import stream_token_issue
from sessions_app.transcripts import RENDERERS

RETRY_AFTER = "2"
"""Seconds until a client asks again for a translation that is being made."""


class SessionViewSet(V1ViewSet):
    """All operations on sessions, except the stream."""

    throttle_group = "sessions"
    scopes = {
        "list": Scope.SESSIONS_READ,
        "create": Scope.SESSIONS_WRITE,
        "retrieve": Scope.SESSIONS_READ,
        "end": Scope.SESSIONS_WRITE,
        "destroy": Scope.SESSIONS_WRITE,
        "transcript": Scope.SESSIONS_READ,
        "translate": Scope.SESSIONS_WRITE,
    }
    paginated = {"list"}
    queries = {"list": SessionListQuery, "transcript": TranscriptQuery}

    @operation("List sessions", "Session", lists=True, errors=("invalid_mode",))
    def list(self, request: Request) -> Response:
        sessions = selectors.session_list(tenant=self.tenant, **self.query)
        return self.page(sessions, prefix="sess", payload=session_payload)

    @operation(
        "Create a session",
        "Session",
        description="The answer carries the address and the token to stream audio to.",
        status=201,
        takes=SessionInput,
        creates="session_id",
        request_example=CREATE_EXAMPLE,
        response_example=SESSION_EXAMPLE,
        headers={"Cache-Control": header("`no-store`: the answer holds a token.")},
        errors=(
            "invalid_mode",
            "invalid_language_code",
            "unsupported_language_pair",
            "feature_not_available",
            "concurrent_sessions_exceeded",
        ),
    )
    @idempotent
    def create(self, request: Request) -> Response:
        serializer = self.input(SessionInput)
        session = services.session_create(tenant=self.tenant, **serializer.service_arguments())
        return self._with_stream(session, status=201)

    @operation(
        "Retrieve a session",
        "Session",
        response_example=SESSION_EXAMPLE,
        headers={
            "Cache-Control": header("`no-store` if the answer holds a token.", required=False)
        },
    )
    def retrieve(self, request: Request, session_id: str) -> Response:
        return self._with_stream(self._session(session_id))

    @operation(
        "End a session",
        "Session",
        description="Immediate. Speech already received is still transcribed, for up to a minute. "
        "Ending twice returns the ended session.",
        takes=SessionEndInput,
    )
    @idempotent
    def end(self, request: Request, session_id: str) -> Response:
        body = self.body(SessionEndInput)
        session = services.session_end(session=self._session(session_id), reason=body["reason"])
        return Response(session_payload(session))

    @operation(
        "Erase a session",
        None,
        description="Erases an ended session for good: transcript, audio, analyses and the "
        "payloads of its events.",
        status=204,
        errors=("session_not_ended",),
    )
    def destroy(self, request: Request, session_id: str) -> Response:
        self.body()
        session = self._session(session_id)
        with transaction.atomic():
            self.audit("session.erased", session.id)
            services.session_erase(session=session)
        return Response(status=204)

    @operation(
        "Translate a transcript",
        "TranscriptTranslation",
        description="Translates the transcript of an ended session into a further language. Read "
        "it with `GET /v1/sessions/{session_id}/transcript?language=`, which says when it is done. "
        "Asking for the same language again returns the same translation; one that failed is tried "
        "again.",
        status=202,
        takes=TranscriptTranslateInput,
        request_example={"language": "de"},
        errors=(
            "invalid_language_code",
            "unsupported_language_pair",
            "feature_not_available",
            "session_not_ended",
            "transcript_unavailable",
        ),
    )
    @idempotent
    def translate(self, request: Request, session_id: str) -> Response:
        body = self.body(TranscriptTranslateInput)
        translation = transcript_translation_request(
            session=self._session(session_id), language=body["language"]
        )
        return Response(transcript_translation_payload(translation), status=202)

    @operation(
        "Retrieve a transcript",
        "Transcript",
        description="All segments so far in the order of time, during the call and after it.",
        media=("text/plain", "application/x-subrip", "text/vtt"),
        also={
            202: Answer(
                "Texts and subtitles in a `language` that is not done yet: try again after the "
                "seconds in `Retry-After`.",
                "TranscriptTranslation",
                headers={
                    "Retry-After": header(
                        "Seconds to wait before trying again.", {"type": "integer"}
                    )
                },
            )
        },
        errors=("invalid_language_code", "transcript_unavailable"),
    )
    def transcript(self, request: Request, session_id: str) -> HttpResponse | Response:
        session = selectors.session_get_with_languages(tenant=self.tenant, session_id=session_id)
        segments: Iterable[Segment] = selectors.transcript_segments(session)
        translation = None
        if language := self.query.get("language"):
            translation = selectors.transcript_translation_get(session=session, language=language)
            segments = selectors.segments_translated(translation)
        translations = self.query["include_translations"]
        if (format := self.query["format"]) != "json":
            if translation is not None and not translation.is_complete:
                return self._untranslated(translation)
            content_type, render = RENDERERS[format]
            return HttpResponse(render(segments, translations), content_type=content_type)
        payload = transcript_payload(
            session,
            segments,
            languages=selectors.transcript_languages(session),
            include_translations=translations,
            translation=translation,
        )
        return Response(payload)

    def _untranslated(self, translation: TranscriptTranslation) -> Response:
        """Texts and subtitles cannot say that they are incomplete."""
        if translation.status == TranscriptTranslation.Status.FAILED:
            raise TranscriptUnavailable(f"The translation failed. {translation.error}")
        return Response(
            transcript_translation_payload(translation),
            status=202,
            headers={"Retry-After": RETRY_AFTER},
        )

    def _session(self, session_id: str) -> Session:
        return selectors.session_get(tenant=self.tenant, session_id=session_id)

    def _with_stream(self, session: Session, status: int = 200) -> Response:
        """The session with its stream: a new token for keys that may write, else null."""
        if session.is_ended:
            return Response(session_payload(session), status=status)
        stream: dict[str, Any] = {
            "url": f"{stream_url(self.request)}/v1/sessions/{session.id}/connect",
            "token": None,
            "expires_at": None,
        }
        headers = {}
        if self.has_scope(Scope.SESSIONS_WRITE):
            token, expires_at = stream_token_issue(session, self.api_key.id, session.environment)
            stream.update(token=token, expires_at=moment(expires_at))
            headers["Cache-Control"] = "no-store"
        return Response(session_payload(session, stream), status=status, headers=headers)


class LanguageViewSet(V1ViewSet):
    """The languages that this installation transcribes, translates and speaks."""

    throttle_group = "sessions"
    scopes = {"list": Scope.SESSIONS_READ}

    @operation("List languages", "Language", lists=True)
    def list(self, request: Request) -> Response:
        languages = [language_payload(language) for language in capabilities.languages()]
        return Response(
            {"object": "list", "data": languages, "has_more": False, "url": request.path}
        )


class VoiceViewSet(V1ViewSet):
    """The voices of this installation."""

    throttle_group = "sessions"
    scopes = {"list": Scope.SESSIONS_READ}
    queries = {"list": VoiceListQuery}

    @operation(
        "List voices",
        "Voice",
        description="Ordered by language. The first of a language, or of its region, speaks where "
        "a session names none. Servers that are reached as `openai+https://` cannot list theirs.",
        lists=True,
        errors=("invalid_language_code",),
    )
    def list(self, request: Request) -> Response:
        voices = capabilities.voices(**self.query)
        return Response(
            {
                "object": "list",
                "data": [voice_payload(voice) for voice in voices],
                "has_more": False,
                "url": request.path,
            }
        )
