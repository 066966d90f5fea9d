"""URLs under /v1 that belong to no app. Included last, because they end in a catch-all."""

from django.urls import path, re_path

from kallglot_site.api import views

urlpatterns = [
    path("openapi.json", views.schema_document, name="openapi"),
    path("docs", views.reference, name="api-reference"),
    re_path("^", views.unknown_route, name="unmatched"),
]
