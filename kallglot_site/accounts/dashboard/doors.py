"""Signing in and out, and a forgotten password."""

from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth
from django.urls import reverse_lazy

from kallglot_site.accounts.dashboard.forms import LoginForm


class LoginView(auth.LoginView):
    """``?next=`` is followed only within this host (Django's own check)."""

    template_name = "accounts/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True


class PasswordResetView(auth.PasswordResetView):
    """Answers the same for known and unknown emails."""

    template_name = "accounts/password_reset.html"
    email_template_name = "accounts/password_reset_email.txt"
    subject_template_name = "accounts/password_reset_subject.txt"
    success_url = reverse_lazy("password_reset_done")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(sends_email=bool(settings.EMAIL_HOST), **kwargs)


class PasswordResetDoneView(auth.PasswordResetDoneView):
    template_name = "accounts/password_reset_done.html"


class PasswordResetConfirmView(auth.PasswordResetConfirmView):
    template_name = "accounts/password_reset_confirm.html"
    success_url = reverse_lazy("login")
