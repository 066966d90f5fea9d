"""The recording on a session's page, downloads, and the retention setting."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from kallglot_site.accounts.dashboard.access import AdminRequired, StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.api.errors import NotFound, error_headers
from recordings_app import selectors, services
from recordings_app.channels import TRANSLATIONS, VOICES
from recordings_app.dashboard.forms import DownloadForm, PolicyForm
from recordings_app.errors import (
    RecordingExpired,
    RecordingFailed,
    RecordingProcessing,
    StorageUnavailable,
)
from recordings_app.media.responses import audio_response
from recordings_app.models import Recording, RecordingFile
from sessions_app.models import Session
from sessions_app.selectors import session_get

VARIANTS = (("mp3", "MP3"), ("wav", "WAV"), ("ogg", "Ogg Vorbis"))


class SessionPartView(StaffView):
    """A part of a session's page."""

    def session(self, session_id: str) -> Session:
        try:
            return session_get(tenant=self.request.tenant, session_id=session_id)
        except NotFound as error:
            raise Http404 from error


class PanelView(SessionPartView):
    """The player, or the reason why there is none. It polls while the recording is prepared."""

    def get(self, request: HttpRequest, session_id: str) -> HttpResponse:
        session = self.session(session_id)
        recordings = {each.channel: each for each in selectors.session_recordings(session)}
        mixed = recordings.get(Recording.Channel.MIXED)
        original = selectors.recording_original(mixed) if mixed else None
        status = ""
        if mixed is not None:
            status = Recording.Status.DELETED if mixed.is_past_retention else mixed.status
        playable = original is not None and status in (
            Recording.Status.READY,
            Recording.Status.FAILED,
        )
        context: dict[str, Any] = {
            "session": session,
            "recording": mixed,
            "status": status,
            "playable": playable,
            "channels": [
                recordings[channel] for channel in (*VOICES, *TRANSLATIONS) if channel in recordings
            ],
            "variants": VARIANTS if status == Recording.Status.READY else (),
        }
        if playable and mixed is not None:
            context["peaks"] = [mixed.peaks.get(channel, []) for channel in VOICES]
            context["translations"] = _translations(recordings)
        return render(request, "recordings/panel.html", context)


def _translations(recordings: dict[str, Recording]) -> dict[str, Any] | None:
    """What the player needs to play the translations; None: nothing was spoken, or it is gone."""
    kept = [
        each
        for channel in TRANSLATIONS
        if (each := recordings.get(channel)) is not None
        and each.spoken
        and not each.is_past_retention
    ]
    if not kept:
        return None
    peaks = {channel: bars for each in kept for channel, bars in each.peaks.items()}
    return {
        "urls": [reverse("recordings:audio", args=[each.id]) for each in kept],
        "peaks": [peaks.get(channel, []) for channel in TRANSLATIONS],
        "spoken": {id: times for each in kept for id, times in each.spoken.items()},
        "failures": [each.failure for each in kept if each.failure],
    }


class RecordingPartView(StaffView):
    """One recording's audio."""

    def recording(self, recording_id: str) -> Recording:
        try:
            return selectors.recording_get(tenant=self.request.tenant, recording_id=recording_id)
        except NotFound as error:
            raise Http404 from error


class AudioView(RecordingPartView):
    """The audio for the page's player, by ranges. Also for a partial recording."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, recording_id: str) -> HttpResponseBase:
        recording = self.recording(recording_id)
        file = selectors.recording_original(recording)
        if file is None or recording.is_past_retention:
            raise Http404("Audio not found.")
        return _audio(request, recording, file, inline=True)

    head = get


class DownloadView(RecordingPartView):
    """The recording as a file. While it is converted, a page that reloads."""

    def get(self, request: HttpRequest, recording_id: str) -> HttpResponseBase:
        recording = self.recording(recording_id)
        form = DownloadForm(request.GET)
        if not form.is_valid():
            raise Http404("Unknown format.")
        try:
            file = services.recording_file_require(
                recording=recording,
                format=form.cleaned_data["format"] or None,
                sample_rate=form.cleaned_data["sample_rate"],
            )
        except RecordingProcessing:
            response = render(
                request, "recordings/preparing.html", {"recording": recording}, status=202
            )
            response.headers["Refresh"] = "2"
            return response
        except RecordingFailed as error:
            partial = selectors.recording_original(recording)
            if partial is None or form.cleaned_data["format"]:
                raise Http404("Audio not found.") from error
            file = partial
        except RecordingExpired as error:
            raise Http404("Audio not found.") from error
        return _audio(request, recording, file)


def _audio(
    request: HttpRequest, recording: Recording, file: RecordingFile, *, inline: bool = False
) -> HttpResponseBase:
    try:
        return audio_response(request, file, f"{recording.filename}.{file.format}", inline=inline)
    except RecordingExpired as error:
        raise Http404("Audio not found.") from error
    except StorageUnavailable as error:
        return HttpResponse(
            error.message,
            status=error.status,
            content_type="text/plain",
            headers=error_headers(error),
        )


class DeleteView(AdminRequired, SessionPartView):
    """Delete a session's audio. The transcript is kept."""

    http_method_names = ["post"]

    @transaction.atomic
    def post(self, request: HttpRequest, session_id: str) -> HttpResponse:
        session = self.session(session_id)
        for recording in selectors.session_recordings(session).exclude(
            status=Recording.Status.DELETED
        ):
            services.recording_delete(recording=recording)
        audit(self.request, "recordings.delete", target=session.id)
        messages.success(request, "The recording was deleted. The transcript is kept.")
        return redirect("dashboard:session", session.id)


class RetryView(AdminRequired, SessionPartView):
    """Try a failed recording again."""

    http_method_names = ["post"]

    @transaction.atomic
    def post(self, request: HttpRequest, session_id: str) -> HttpResponse:
        session = self.session(session_id)
        if services.assembly_retry(session_id=session.id):
            audit(self.request, "recordings.retry", target=session.id)
            messages.success(request, "The recording is being prepared again.")
        else:
            messages.error(request, "This recording cannot be prepared again.")
        return redirect("dashboard:session", session.id)


class PolicyView(AdminRequired, StaffView):
    """How long the organization keeps its recordings."""

    def get(self, request: HttpRequest) -> HttpResponse:
        days = selectors.retention(self.request.tenant.organization).days
        return self._page(PolicyForm(initial={"retention_days": days}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = PolicyForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        days = form.cleaned_data["retention_days"]
        with transaction.atomic():
            services.recording_policy_set(
                organization=self.request.tenant.organization, retention_days=days
            )
            audit(self.request, "recordings.retention", detail=f"{days} days")
        messages.success(request, "Saved. The change also applies to existing recordings.")
        return redirect("recordings:policy")

    def _page(self, form: PolicyForm, status: int = 200) -> HttpResponse:
        return render(self.request, "recordings/policy.html", {"form": form}, status=status)
