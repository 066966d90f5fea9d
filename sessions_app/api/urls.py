"""The URLs of sessions under /v1."""

from django.urls import path

from sessions_app.api.views import LanguageViewSet, SessionViewSet, VoiceViewSet

urlpatterns = [
    path("languages", LanguageViewSet.as_view({"get": "list"})),
    path("voices", VoiceViewSet.as_view({"get": "list"})),
    path("sessions", SessionViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "sessions/<str:session_id>",
        SessionViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
    path("sessions/<str:session_id>/end", SessionViewSet.as_view({"post": "end"})),
    path("sessions/<str:session_id>/translate", SessionViewSet.as_view({"post": "translate"})),
    path("sessions/<str:session_id>/transcript", SessionViewSet.as_view({"get": "transcript"})),
]
