"""Addresses of recordings outside of the API and the dashboard's session page."""

from django.urls import path

from recordings_app.api.views import media

urlpatterns = [
    path("media/<str:file_id>/<str:filename>", media, name="recording_media"),
]
