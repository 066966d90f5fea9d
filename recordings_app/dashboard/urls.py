"""The recordings panel, its audio and the retention setting, under /dashboard."""

from django.urls import path

from recordings_app.dashboard import views

app_name = "recordings"

urlpatterns = [
    path("sessions/<str:session_id>/recordings-panel", views.PanelView.as_view(), name="panel"),
    path("recordings/<str:recording_id>/audio", views.AudioView.as_view(), name="audio"),
    path("recordings/<str:recording_id>/download", views.DownloadView.as_view(), name="download"),
    path("sessions/<str:session_id>/recordings-delete", views.DeleteView.as_view(), name="delete"),
    path("sessions/<str:session_id>/recordings-retry", views.RetryView.as_view(), name="retry"),
    path("settings/recordings", views.PolicyView.as_view(), name="policy"),
]
