"""Pages of sessions: the list, one call, and what may be done with it."""

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
from sessions_app.models import Session
from sessions_app.payloads import transcript_payload
from sessions_app.search.pages import session_page
from sessions_app.search.sessions import hits_in, session_find
from sessions_app.transcripts import RENDERERS

# Other apps' panels, by the name of their address; an app that is not there yet has none.
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


class SessionExportView(StaffView):
    """What the list shows, all of it, as a file."""

    def get(self, request: HttpRequest, format: str) -> HttpResponseBase:
        criteria = SessionFilter(request.GET).criteria()
        sessions = session_find(tenant=self.request.tenant, criteria=criteria)
        try:
            response = export_response(
                sessions, format, phone_numbers=self.request.membership.is_admin
            )
        except KeyError:
            raise Http404("There is no such format.") from None
        audit(self.request, "sessions.exported", format)
        return response


class SessionView(StaffView):
    """One call: its facts, its words, and the panels of other apps."""

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
            "languages": list(dict.fromkeys(filter(None, selectors.transcript_languages(session)))),
            "segments": segments,
            # Not session.metadata.items: to a template that is the value of a key "items".
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
        }
        return render(request, "sessions/session.html", context)

    def _elsewhere(self, session_id: str) -> HttpResponse:
        """A link from a colleague may lead into another environment: offer to go there."""
        session = selectors.session_visible_to(user=self.request.user, session_id=session_id)
        if session is None:
            raise Http404("There is no such session.")
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
        segments = selectors.transcript_segments(session)
        content: str | bytes
        if format in RENDERERS:
            content_type, render_as = RENDERERS[format]
            content = render_as(segments, True)
        elif format == "json":
            content_type = "application/json"
            languages = selectors.transcript_languages(session)
            payload: Any = transcript_payload(session, segments, languages=languages)
            content = orjson.dumps(payload, option=orjson.OPT_INDENT_2)
        else:
            raise Http404("There is no such format.")
        response = HttpResponse(content, content_type=content_type)
        name = f"transcript-{session.id}.{EXTENSIONS[format]}"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class SessionEndView(AdminRequired, StaffView):
    def post(self, request: HttpRequest, session_id: str) -> HttpResponse:
        session = selectors.session_get(tenant=self.request.tenant, session_id=session_id)
        with transaction.atomic():
            services.session_end(session=session)
            audit(self.request, "session.ended", session.id)
        messages.success(request, "The call has ended. What was said is still being written down.")
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
        messages.success(request, "The session was erased: words, audio, analyses and payloads.")
        return redirect("dashboard:sessions")
