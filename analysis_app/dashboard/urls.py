"""The analysis panel and its settings under /dashboard."""

from django.urls import path

from analysis_app.dashboard.views import PanelView, PolicyView

app_name = "analysis"

urlpatterns = [
    path("sessions/<str:session_id>/analysis-panel", PanelView.as_view(), name="panel"),
    path("settings/analysis", PolicyView.as_view(), name="policy"),
]
