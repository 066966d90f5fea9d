"""URLs of recordings under /v1."""

from django.urls import path

from recordings_app.api.views import RecordingViewSet, SessionRecordingsViewSet

urlpatterns = [
    path("sessions/<str:session_id>/recordings", SessionRecordingsViewSet.as_view({"get": "list"})),
    path("recordings/<str:recording_id>", RecordingViewSet.as_view({"get": "retrieve"})),
    path("recordings/<str:recording_id>/download", RecordingViewSet.as_view({"get": "download"})),
    path(
        "recordings/<str:recording_id>/audio",
        RecordingViewSet.as_view({"get": "audio", "head": "audio"}),
    ),
]
