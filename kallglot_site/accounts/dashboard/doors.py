"""Signing in and out, and a forgotten password."""

from typing import Any
from urllib.parse import urlencode

from axes.utils import reset as axes_reset
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm, SetPasswordForm
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.views import View
from django.views.generic import FormView

from kallglot_site.accounts import two_factor
from kallglot_site.accounts.dashboard import lockout
from kallglot_site.accounts.dashboard.awaiting import (
    BACKEND,
    await_code_of,
    forget,
    user_awaited,
)
from kallglot_site.accounts.dashboard.forms import CodeForm, LoginForm
from kallglot_site.accounts.errors import AccountsError
from kallglot_site.accounts.models import RecoveryCode, User


class LoginView(auth.LoginView):
    """The password. ``?next=`` is followed only within this host (Django's own check)."""

    template_name = "accounts/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        if not two_factor.is_on(user):
            return super().form_valid(form)
        await_code_of(self.request, user)
        return redirect(_with_next("login_code", self.get_redirect_url()))


class LoginCodeView(auth.RedirectURLMixin, FormView[CodeForm]):
    """The second step for whoever has set one up: only here do they become signed in."""

    template_name = "accounts/login_code.html"
    form_class = CodeForm
    next_page = "dashboard:overview"
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return redirect(self.get_success_url())
        user = user_awaited(request)
        if user is None:
            return redirect(_with_next("login", self.get_redirect_url()))
        self.user = user
        response = super().dispatch(request, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response

    def form_valid(self, form: CodeForm) -> HttpResponse:
        try:
            factor = two_factor.code_accept(user=self.user, code=form.cleaned_data["code"])
        except AccountsError as error:
            form.add_error("code", error.message)
            return self.form_invalid(form)
        forget(self.request)
        login(self.request, self.user, BACKEND)
        if factor is two_factor.Factor.RECOVERY_CODE:
            left = RecoveryCode.objects.filter(two_factor__user=self.user).count()
            messages.warning(
                self.request, f"That recovery code is used up; {left} left. See Your account."
            )
        return redirect(self.get_success_url())

    def form_invalid(self, form: CodeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            user_email=self.user.email, next=self.get_redirect_url(), **kwargs
        )


class AdminLoginView(View):
    """The Django admin has no door of its own: whoever enters it came through both steps."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            raise PermissionDenied("The Django admin is for operators.")
        return redirect(_with_next("login", request.GET.get("next", "/admin/")))


def _with_next(name: str, target: str) -> str:
    return f"{reverse(name)}?{urlencode({'next': target})}" if target else reverse(name)


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

    def form_valid(self, form: "SetPasswordForm[User]") -> HttpResponse:
        response = super().form_valid(form)
        # Who was locked out for guessing is told to set a new password: it must let them in.
        axes_reset(username=lockout.username(None, {"username": form.user.email}))
        return response
