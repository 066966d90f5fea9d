"""The pages of sessions: the list, one session, and its actions."""

from collections.abc import Iterable
from typing import Any

import orjson
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse

from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.accounts.dashboard.paging import cursors_of, page_with
from kallglot_site.api.errors import ApiError, NotFound
from sessions_app import selectors, services
from sessions_app.dashboard.export import export_response
from sessions_app.dashboard.forms import SessionFilter
from sessions_app.dashboard.speaker_strip import strip_bars, strip_ticks
from sessions_app.models import Segment, Session, Track, TranscriptTranslation
from sessions_app.payloads import transcript_payload
from sessions_app.search.pages import session_page
from sessions_app.search.sessions import hits_in, session_find
from sessions_app.transcripts import RENDERERS

# Panels of other apps, by URL name. An app that is not installed has none.
LEFT_PANELS = (("recordings:panel", "Recording"),)
RIGHT_PANELS = (("analysis:panel", "Analysis"), ("webhooks:panel", "Events"))
ADMIN_PANELS = {"webhooks:panel"}
EXTENSIONS = {"json": "json", "text": "txt", "srt": "srt", "vtt": "vtt"}


class SessionListView(StaffView):
    def get(self, request: HttpRequest) -> HttpResponse:
        form = SessionFilter(request.GET)
        criteria = form.criteria()
        cursors = cursors_of(request, prefix="sess")
        found = session_page(tenant=self.request.tenant, criteria=criteria, page=cursors)
        page = page_with(request, cursors, found.rows, found.more, found.reached)
        _languages_read(page.rows)
        hits = hits_in(page.rows, criteria.terms) if criteria.terms else {}
        query = request.GET.copy()
        for cursor in ("after", "before"):
            query.pop(cursor, None)
        context = {
            "form": form,
            "page": page,
            "rows": [(session, hits.get(session.id, ())) for session in page.rows],
            "filtered": form.is_narrowed(),
            "query": query.urlencode(),
        }
        return render(request, "sessions/list.html", context)


def _languages_read(sessions: list[Session]) -> None:
    """Read the languages of all ``sessions`` in one query, for ``transcript_languages``."""
    heard: dict[tuple[str, str], str | None] = {
        (session_id, speaker): language
        for session_id, speaker, language in Track.objects.filter(session__in=sessions).values_list(
            "session_id", "speaker", "language"
        )
    }
    for session in sessions:
        for speaker in ("customer", "agent"):
            setattr(session, f"{speaker}_language", heard.get((session.id, speaker)))


class SessionExportView(StaffView):
    """All sessions that match the list's filters, as a file."""

    def get(self, request: HttpRequest, format: str) -> HttpResponseBase:
        criteria = SessionFilter(request.GET).criteria()
        sessions = session_find(tenant=self.request.tenant, criteria=criteria)
        try:
            response = export_response(
                sessions, format, phone_numbers=self.request.membership.is_admin
            )
        except KeyError:
            raise Http404("Unknown format.") from None
        audit(self.request, "sessions.exported", format)
        return response


class SessionView(StaffView):
    """One session: its facts, its transcript, and the panels of other apps."""

    def get(self, request: HttpRequest, session_id: str) -> HttpResponse:
        tenant = self.request.tenant
        try:
            session = selectors.session_get_with_languages(tenant=tenant, session_id=session_id)
        except NotFound:
            return self._elsewhere(session_id)
        is_admin = self.request.membership.is_admin
        segments = list(selectors.transcript_segments(session))
        duration = max([session.duration, *(segment.end_time for segment in segments)])
        context = {
            "session": session,
            "segments": segments,
            # In a template, session.metadata.items would be the value of a key "items".
            "metadata": list(session.metadata.items()),
            "has_translations": any(segment.translation for segment in segments),
            "latest": max((segment.sequence for segment in segments), default=0),
            "duration": duration,
            "bars": strip_bars(segments, duration),
            "ticks": strip_ticks(duration),
            "is_final": session.transcript_status == Session.TranscriptStatus.COMPLETE,
            "left_panels": _panels(LEFT_PANELS, session, is_admin),
            "right_panels": _panels(RIGHT_PANELS, session, is_admin),
            "formats": ("text", "srt", "vtt", "json"),
            "translated_into": selectors.languages_translated_into(session),
        }
        return render(request, "sessions/session.html", context)

    def _elsewhere(self, session_id: str) -> HttpResponse:
        """Offer to switch: a link from a colleague may be for another environment."""
        session = selectors.session_visible_to(user=self.request.user, session_id=session_id)
        if session is None:
            raise Http404("Session not found.")
        return render(self.request, "sessions/elsewhere.html", {"session": session}, status=404)


def _panels(
    names: tuple[tuple[str, str], ...], session: Session, is_admin: bool
) -> list[dict[str, str]]:
    panels: list[dict[str, str]] = []
    for name, heading in names:
        if name in ADMIN_PANELS and not is_admin:
            continue
        try:
            panels.append({"url": reverse(name, args=[session.id]), "heading": heading})
        except NoReverseMatch:
            continue
    return panels


class TranscriptDownloadView(StaffView):
    """The transcript as a file, in each format of the API."""

    def get(self, request: HttpRequest, session_id: str, format: str) -> HttpResponse:
        session = selectors.session_get_with_languages(
            tenant=self.request.tenant, session_id=session_id
        )
        segments: Iterable[Segment] = selectors.transcript_segments(session)
        translation = None
        if language := request.GET.get("language"):
            translation = self._translation(session, language)
            segments = selectors.segments_translated(translation)
        content: str | bytes
        if format in RENDERERS:
            content_type, render_as = RENDERERS[format]
            content = render_as(segments, True)
        elif format == "json":
            content_type = "application/json"
            languages = selectors.transcript_languages(session)
            payload: Any = transcript_payload(
                session, segments, languages=languages, translation=translation
            )
            content = orjson.dumps(payload, option=orjson.OPT_INDENT_2)
        else:
            raise Http404("Unknown format.")
        response = HttpResponse(content, content_type=content_type)
        name = f"transcript-{session.id}{f'-{translation.language}' if translation else ''}"
        response["Content-Disposition"] = f'attachment; filename="{name}.{EXTENSIONS[format]}"'
        return response

    def _translation(self, session: Session, language: str) -> TranscriptTranslation:
        try:
            translation = selectors.transcript_translation_get(session=session, language=language)
        except NotFound as error:
            raise Http404(error.message) from None
        if not translation.is_complete:
            raise Http404("This translation is not complete.")
        return translation


class SessionEndView(AdminRequired, StaffView):
    def post(self, request: HttpRequest, session_id: str) -> HttpResponse:
        session = selectors.session_get(tenant=self.request.tenant, session_id=session_id)
        with transaction.atomic():
            services.session_end(session=session)
            audit(self.request, "session.ended", session.id)
        messages.success(request, "The call has ended. Its last words are still being transcribed.")
        return redirect("dashboard:session", session_id)


class SessionEraseView(AdminRequired, StaffView):
    def post(self, request: HttpRequest, session_id: str) -> HttpResponse:
        session = selectors.session_get(tenant=self.request.tenant, session_id=session_id)
        try:
            with transaction.atomic():
                services.session_erase(session=session)
                audit(self.request, "session.erased", session.id)
        except ApiError as error:
            messages.error(request, error.message)
            return redirect("dashboard:session", session_id)
        messages.success(
            request, "The session was erased, with its transcript, audio and analyses."
        )
        return redirect("dashboard:sessions")
