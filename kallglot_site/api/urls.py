"""The addresses under /v1 that belong to no app. Included last: it ends in the catch-all."""

from django.urls import re_path

from kallglot_site.api import views

urlpatterns = [
    re_path("^", views.unknown_route),
]
