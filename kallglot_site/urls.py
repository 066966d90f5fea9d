"""Every address. Each app brings its own; this page only says where they hang."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("v1/", include("sessions_app.api.urls")),
    path("v1/", include("kallglot_site.api.urls")),  # ends in a catch-all: keep it the last of v1
    path("admin/", admin.site.urls),
]

handler400 = "kallglot_site.api.views.bad_request"
handler403 = "kallglot_site.api.views.permission_denied"
handler404 = "kallglot_site.api.views.not_found"
handler500 = "kallglot_site.api.views.server_error"
