"""Addresses of the overview, below ``/dashboard/``."""

from django.urls import path

from kallglot_site.overview import views

urlpatterns = [
    path("", views.OverviewView.as_view(), name="overview"),
    path("live", views.LiveCallsView.as_view(), name="overview_live"),
]
