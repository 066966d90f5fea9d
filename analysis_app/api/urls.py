"""URLs of analyses under /v1."""

from django.urls import path

from analysis_app.api.views import AnalysisViewSet

urlpatterns = [
    path(
        "sessions/<str:session_id>/analysis",
        AnalysisViewSet.as_view({"get": "list", "post": "create"}),
    ),
    path("analysis/<str:analysis_id>", AnalysisViewSet.as_view({"get": "retrieve"})),
]
