"""Addresses of accounts: ``doors`` at the root, ``urlpatterns`` below ``/dashboard/``."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from kallglot_site.accounts.dashboard import doors as door_views
from kallglot_site.accounts.dashboard import views

doors = [
    path("login", door_views.LoginView.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("password", door_views.PasswordResetView.as_view(), name="password_reset"),
    path("password/sent", door_views.PasswordResetDoneView.as_view(), name="password_reset_done"),
    path(
        "password/<uidb64>/<token>",
        door_views.PasswordResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
]

urlpatterns = [
    path("switch", views.SwitchView.as_view(), name="switch"),
    path("account", views.ProfileView.as_view(), name="profile"),
]
