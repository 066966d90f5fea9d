"""URLs of the session pages, below ``/dashboard/``."""

from django.urls import path

from sessions_app.dashboard import talk, views

# At the root: pages for people without an account.
root_urlpatterns = [path("join/<str:invitation>", talk.JoinView.as_view(), name="join")]

urlpatterns = [
    path("talk", talk.TalkView.as_view(), name="talk"),
    path("talk/<str:session_id>/token", talk.TalkTokenView.as_view(), name="talk_token"),
    path("sessions", views.SessionListView.as_view(), name="sessions"),
    path("sessions.<str:format>", views.SessionExportView.as_view(), name="sessions_export"),
    path("sessions/<str:session_id>", views.SessionView.as_view(), name="session"),
    path("sessions/<str:session_id>/end", views.SessionEndView.as_view(), name="session_end"),
    path("sessions/<str:session_id>/erase", views.SessionEraseView.as_view(), name="session_erase"),
    path(
        "sessions/<str:session_id>/transcript.<str:format>",
        views.TranscriptDownloadView.as_view(),
        name="transcript",
    ),
]
