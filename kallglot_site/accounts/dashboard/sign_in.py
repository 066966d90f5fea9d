"""Signing in: the password, then the code of the second factor."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth import views as auth
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views import View
from django.views.generic import FormView

from kallglot_site.accounts import two_factor
from kallglot_site.accounts.dashboard.forms import CodeForm, LoginForm
from kallglot_site.accounts.dashboard.pending_sign_in import (
    BACKEND,
    pending_sign_in_clear,
    pending_sign_in_start,
    pending_sign_in_user,
)
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
        pending_sign_in_start(self.request, user)
        return HttpResponseRedirect(_with_next("login_code", self.get_redirect_url()))


class LoginCodeView(auth.RedirectURLMixin, FormView[CodeForm]):
    """The second step, for people with a second factor. It signs them in."""

    template_name = "accounts/login_code.html"
    form_class = CodeForm
    next_page = "dashboard:overview"
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return HttpResponseRedirect(self.get_success_url())
        user = pending_sign_in_user(request)
        if user is None:
            return HttpResponseRedirect(_with_next("login", self.get_redirect_url()))
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
        pending_sign_in_clear(self.request)
        login(self.request, self.user, BACKEND)
        if factor is two_factor.Factor.RECOVERY_CODE:
            left = RecoveryCode.objects.filter(two_factor__user=self.user).count()
            messages.warning(
                self.request,
                f"You used a recovery code: {left} left. Make new ones under Your account.",
            )
        return HttpResponseRedirect(self.get_success_url())

    def form_invalid(self, form: CodeForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            user_email=self.user.email, next=self.get_redirect_url(), **kwargs
        )


class AdminLoginView(View):
    """The Django admin has no sign-in page of its own, so its users pass both steps too."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            raise PermissionDenied("The Django admin is for operators.")
        return HttpResponseRedirect(_with_next("login", request.GET.get("next", "/admin/")))


def _with_next(name: str, target: str) -> str:
    return f"{reverse(name)}?{urlencode({'next': target})}" if target else reverse(name)
