"""All routes. Each app has its own; this file gives them their prefixes."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from kallglot_site.accounts.dashboard.sign_in import AdminLoginView
from kallglot_site.accounts.dashboard.urls import root_urlpatterns as account_root_pages
from kallglot_site.accounts.dashboard.urls import urlpatterns as account_pages
from kallglot_site.api.views import error_page
from kallglot_site.overview.urls import urlpatterns as overview_pages
from sessions_app.dashboard.urls import root_urlpatterns as session_root_pages
from sessions_app.dashboard.urls import urlpatterns as session_pages

# The pages of accounts, sessions and the overview share the namespace "dashboard"; other apps have
# their own namespaces.
dashboard = ([*overview_pages, *session_pages, *account_pages], "dashboard")

admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="dashboard:overview")),
    path("favicon.ico", RedirectView.as_view(url="/static/img/icon.svg")),
    *account_root_pages,
    *session_root_pages,
    path("dashboard/", include(dashboard)),
    path("dashboard/", include("analysis_app.dashboard.urls")),
    path("dashboard/", include("webhooks_app.dashboard.urls")),
    path("errors", error_page, name="errors"),
    path("dashboard/", include("recordings_app.dashboard.urls")),
    path("v1/", include("sessions_app.api.urls")),
    path("v1/", include("sessions_app.agents.api.urls")),
    path("v1/", include("analysis_app.api.urls")),
    path("v1/", include("webhooks_app.api.urls")),
    path("v1/", include("recordings_app.api.urls")),
    path("", include("recordings_app.urls")),
    path(
        "v1/", include("kallglot_site.api.urls")
    ),  # must stay the last of v1: it ends in a catch-all
    path("admin/login/", AdminLoginView.as_view()),  # replaces the admin's own page
    path("admin/", admin.site.urls),
]

handler400 = "kallglot_site.api.views.bad_request"
handler403 = "kallglot_site.api.views.permission_denied"
handler404 = "kallglot_site.api.views.not_found"
handler500 = "kallglot_site.api.views.server_error"
