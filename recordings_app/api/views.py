"""REST endpoints of recordings. The work itself is in the services and selectors."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from rest_framework.request import Request
from rest_framework.response import Response

from kallglot_site.accounts.models import Scope
from kallglot_site.api.errors import ApiError, error_response
from kallglot_site.api.operations import header, operation
from kallglot_site.api.viewsets import V1ViewSet
from recordings_app import selectors, services
from recordings_app.api import schema
from recordings_app.api.serializers import DownloadQuery, RecordingListQuery
from recordings_app.errors import RecordingExpired, RecordingProcessing, StorageUnavailable
from recordings_app.media.links import file_url, link_is_valid
from recordings_app.media.responses import audio_response
from recordings_app.models import Recording
from recordings_app.payloads import recording_payload
from sessions_app.selectors import session_get

RETRY_AFTER = "2"


class SessionRecordingsViewSet(V1ViewSet):
    """The recordings of one session."""

    throttle_group = "recordings"
    scopes = {"list": Scope.RECORDINGS_READ}
    paginated = {"list"}
    queries = {"list": RecordingListQuery}

    @operation("List a session's recordings", "Recording", lists=True)
    def list(self, request: Request, session_id: str) -> Response:
        session = session_get(tenant=self.tenant, session_id=session_id)
        recordings = selectors.session_recordings(session, **self.query)
        return self.page(recordings, prefix="rec", payload=recording_payload)


class RecordingViewSet(V1ViewSet):
    """One recording: its object, its download URL, its audio."""

    throttle_group = "recordings"
    scopes = {
        "retrieve": Scope.RECORDINGS_READ,
        "download": Scope.RECORDINGS_READ,
        "audio": Scope.RECORDINGS_READ,
    }
    queries = {"download": DownloadQuery}

    @operation("Retrieve a recording", "Recording")
    def retrieve(self, request: Request, recording_id: str) -> Response:
        return Response(recording_payload(self._recording(recording_id)))

    @operation(
        "Download a recording",
        None,
        description="Redirects to a signed URL that is valid for an hour.",
        status=302,
        headers={
            "Location": header("The signed URL.", {"type": "string", "format": "uri"}),
            "Cache-Control": header("`no-store`: the URL needs no key."),
        },
        also={202: schema.PROCESSING},
        errors=("recording_expired", "recording_failed"),
    )
    def download(self, request: Request, recording_id: str) -> Response:
        recording = self._recording(recording_id)
        rate = self.query.get("sample_rate")
        try:
            file = services.recording_file_require(
                recording=recording,
                format=self.query.get("format"),
                sample_rate=int(rate) if rate else None,
            )
        except RecordingProcessing:
            return self._later(recording)
        location = file_url(request, file, f"{recording.filename}.{file.format}")
        return Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})

    @operation(
        "Stream a recording",
        None,
        description="Returns the audio itself and supports `Range`.",
        request_headers={
            "Range": "The parts of the file to send, such as `bytes=0-65535`.",
            "If-Range": "The `ETag` of the file that `Range` is about. Another file is sent whole.",
            "If-None-Match": "An `ETag`. The file is not sent again if this is still its own.",
        },
        media=schema.AUDIO,
        headers=schema.AUDIO_HEADERS,
        also={
            202: schema.PROCESSING,
            206: schema.PARTIAL_AUDIO,
            304: schema.UNCHANGED,
            416: schema.BEYOND_THE_END,
        },
        errors=("recording_expired", "recording_failed"),
    )
    def audio(self, request: Request, recording_id: str) -> HttpResponseBase:
        recording = self._recording(recording_id)
        try:
            file = services.recording_file_require(recording=recording)
        except RecordingProcessing:
            return self._later(recording)
        filename = f"{recording.filename}.{file.format}"
        return audio_response(request._request, file, filename)

    def _recording(self, recording_id: str) -> Recording:
        return selectors.recording_get(tenant=self.tenant, recording_id=recording_id)

    def _later(self, recording: Recording) -> Response:
        return Response(
            recording_payload(recording), status=202, headers={"Retry-After": RETRY_AFTER}
        )


@require_safe
def media(request: HttpRequest, file_id: str, filename: str) -> HttpResponseBase:
    """A locally stored file, for requests with its signed URL."""
    expires, signature = request.GET.get("expires", ""), request.GET.get("signature", "")
    if not link_is_valid(file_id, filename, expires, signature):
        error = ApiError(
            "This link is invalid or has expired. Get a new one from the recording's download_url.",
            code="insufficient_permissions",
        )
        return error_response(error, request)
    file = selectors.recording_file_signed(file_id)
    try:
        if file is None or file.recording.is_past_retention:
            raise RecordingExpired
        return audio_response(request, file, filename)
    except (RecordingExpired, StorageUnavailable) as error:
        return error_response(error, request)
