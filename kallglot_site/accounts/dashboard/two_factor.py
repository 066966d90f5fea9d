"""Pages for one's own second factor: set up, make new recovery codes, turn off.

They are outside the dashboard, for operators without an organization, and for members who must set
up a second factor before they may use the dashboard.
"""

import base64
import io
from abc import ABC, abstractmethod
from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.views import RedirectURLMixin, redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.views import View

from kallglot_site import crypto
from kallglot_site.accounts import two_factor
from kallglot_site.accounts.dashboard.access import membership_chosen, memberships_of
from kallglot_site.accounts.dashboard.forms import ProofForm, SetUpForm
from kallglot_site.accounts.errors import AccountsError
from kallglot_site.accounts.models import Membership, User
from kallglot_site.accounts.selectors import two_factor_of

_SESSION_KEY = "two_factor_secret"


class OwnAccountView(RedirectURLMixin, View):
    """A page for everybody who is signed in, with or without an organization. Not cached."""

    next_page = "dashboard:overview"
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return redirect_to_login(request.get_full_path())
        self.user = request.user
        response = super().dispatch(request, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response

    def password_is_right(self, form: ProofForm) -> bool:
        """Checked by the authentication backends, so that wrong passwords lock here too."""
        password = form.cleaned_data["password"]
        if authenticate(self.request, username=self.user.email, password=password) is not None:
            return True
        form.add_error("password", "The password is wrong.")
        return False

    def codes_page(self, codes: list[str], done: str) -> HttpResponse:
        """The recovery codes, in the response to the POST only."""
        context = {"codes": codes, "done": done, "next_url": self.get_success_url()}
        return render(self.request, "accounts/recovery_codes.html", context)


class TwoFactorView(OwnAccountView):
    """Off: the page to set it up. On: its status and actions."""

    def get(self, request: HttpRequest) -> HttpResponse:
        row = two_factor_of(self.user)
        if row is not None:
            return render(request, "accounts/two_factor.html", {"two_factor": row})
        return self._set_up_page(SetUpForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SetUpForm(request.POST)
        if not form.is_valid() or not self.password_is_right(form):
            return self._set_up_page(form, status=422)
        try:
            codes = two_factor.two_factor_enable(
                user=self.user, secret=_setup_secret(request), code=form.cleaned_data["code"]
            )
        except AccountsError as error:
            form.add_error("code", error.message)
            return self._set_up_page(form, status=422)
        del request.session[_SESSION_KEY]
        update_session_auth_hash(request, self.user)  # other sessions end
        done = "Two-factor authentication is on. Other devices are signed out."
        return self.codes_page(codes, done)

    def _set_up_page(self, form: SetUpForm, status: int = 200) -> HttpResponse:
        secret = _setup_secret(self.request)
        memberships = memberships_of(self.user)
        chosen = membership_chosen(self.request, memberships)
        required = chosen is not None and chosen.organization.requires_two_factor
        context = {
            "form": form,
            "qr": qr_code(two_factor.secret_uri(secret, self.user)),
            "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            "next": self.get_redirect_url(),
            "required_by": chosen.organization if chosen and required else None,
            "elsewhere": _without_requirement(memberships) if required else [],
        }
        return render(self.request, "accounts/two_factor_set_up.html", context, status=status)


class ProvenView(OwnAccountView, ABC):
    """A change that needs the password and a code."""

    title = action = text = ""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not two_factor.is_on(self.user):
            return redirect("two_factor")
        return self._page(ProofForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ProofForm(request.POST)
        if not form.is_valid() or not self.password_is_right(form):
            return self._page(form, status=422)
        try:
            two_factor.code_accept(user=self.user, code=form.cleaned_data["code"])
        except AccountsError as error:
            form.add_error("code", error.message)
            return self._page(form, status=422)
        return self.proven()

    @abstractmethod
    def proven(self) -> HttpResponse:
        """Makes the change."""

    def _page(self, form: ProofForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "title": self.title, "action": self.action, "text": self.text}
        return render(self.request, "accounts/two_factor_proof.html", context, status=status)


class CodesRenewView(ProvenView):
    title = "New recovery codes"
    action = "Create new codes"
    text = "You get ten new codes. The old codes stop working."
    next_page = "two_factor"

    def proven(self) -> HttpResponse:
        codes = two_factor.recovery_codes_renew(user=self.user)
        return self.codes_page(codes, "The old recovery codes no longer work.")


class TurnOffView(ProvenView):
    title = "Turn off two-factor authentication"
    action = "Turn off"
    text = "You will then sign in with your password alone. For a new phone, set it up again."

    def proven(self) -> HttpResponse:
        two_factor.two_factor_disable(user=self.user, actor=self.user)
        update_session_auth_hash(self.request, self.user)
        messages.success(self.request, "Two-factor authentication is off.")
        return redirect("two_factor")


def _setup_secret(request: HttpRequest) -> str:
    """The secret on the set-up page. It is stored encrypted in the session until it is used."""
    kept = request.session.get(_SESSION_KEY)
    if kept is not None:
        try:
            return two_factor.secret_open(base64.b64decode(kept))
        except crypto.DecryptionError:
            pass  # the secret key was replaced: make a new secret
    secret = two_factor.secret_new()
    sealed = two_factor.secret_seal(secret)
    request.session[_SESSION_KEY] = base64.b64encode(sealed).decode()
    return secret


def _without_requirement(memberships: list[Membership]) -> list[Membership]:
    return [each for each in memberships if not each.organization.requires_two_factor]


def qr_code(text: str) -> SafeString:
    """An ``<svg>`` for the page. Dark on light in both themes, so that phones can scan it."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=4, light="#fff"
    )
    return mark_safe(out.getvalue().decode())  # noqa: S308 - paths only; the text is not in it
