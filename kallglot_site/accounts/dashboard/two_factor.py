"""A person's own second factor: set up, new recovery codes, off again.

These pages stand beside the dashboard, so that operators without an organization have them too, and
members whose organization demands a second factor before it shows them anything.
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

_OFFERED = "two_factor_secret"


class OwnAccountView(RedirectURLMixin, View):
    """A page for whoever is signed in, of whatever organization. Answers are not kept."""

    next_page = "dashboard:overview"
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return redirect_to_login(request.get_full_path())
        self.user = request.user
        response = super().dispatch(request, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response

    def password_fits(self, form: ProofForm) -> bool:
        """Through the backends, so that guessing here locks like guessing at the door."""
        password = form.cleaned_data["password"]
        if authenticate(self.request, username=self.user.email, password=password) is not None:
            return True
        form.add_error("password", "That is not your password.")
        return False

    def codes_page(self, codes: list[str], done: str) -> HttpResponse:
        """The recovery codes, in the answer to the POST alone."""
        context = {"codes": codes, "done": done, "go_on": self.get_success_url()}
        return render(self.request, "accounts/recovery_codes.html", context)


class TwoFactorView(OwnAccountView):
    """Off: the way to set it up. On: what can be done with it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        row = two_factor_of(self.user)
        if row is not None:
            return render(request, "accounts/two_factor.html", {"two_factor": row})
        return self._set_up_page(SetUpForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = SetUpForm(request.POST)
        if not form.is_valid() or not self.password_fits(form):
            return self._set_up_page(form, status=422)
        try:
            codes = two_factor.two_factor_enable(
                user=self.user, secret=_secret_offered(request), code=form.cleaned_data["code"]
            )
        except AccountsError as error:
            form.add_error("code", error.message)
            return self._set_up_page(form, status=422)
        del request.session[_OFFERED]
        update_session_auth_hash(request, self.user)  # the person's other sessions end
        done = "Two-factor authentication is on. Other devices are signed out."
        return self.codes_page(codes, done)

    def _set_up_page(self, form: SetUpForm, status: int = 200) -> HttpResponse:
        secret = _secret_offered(self.request)
        memberships = memberships_of(self.user)
        chosen = membership_chosen(self.request, memberships)
        demanded = chosen is not None and chosen.organization.requires_two_factor
        context = {
            "form": form,
            "qr": qr_code(two_factor.secret_uri(secret, self.user)),
            "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            "next": self.get_redirect_url(),
            "demanded_by": chosen.organization if chosen and demanded else None,
            "elsewhere": _demanding_none(memberships) if demanded else [],
        }
        return render(self.request, "accounts/two_factor_set_up.html", context, status=status)


class ProvenView(OwnAccountView, ABC):
    """A change that asks for the password and a code again."""

    title = action = text = ""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not two_factor.is_on(self.user):
            return redirect("two_factor")
        return self._page(ProofForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ProofForm(request.POST)
        if not form.is_valid() or not self.password_fits(form):
            return self._page(form, status=422)
        try:
            two_factor.code_accept(user=self.user, code=form.cleaned_data["code"])
        except AccountsError as error:
            form.add_error("code", error.message)
            return self._page(form, status=422)
        return self.proven()

    @abstractmethod
    def proven(self) -> HttpResponse:
        """The change itself."""

    def _page(self, form: ProofForm, status: int = 200) -> HttpResponse:
        context = {"form": form, "title": self.title, "action": self.action, "text": self.text}
        return render(self.request, "accounts/two_factor_proof.html", context, status=status)


class CodesRenewView(ProvenView):
    title = "New recovery codes"
    action = "Make new codes"
    text = "You get ten new codes. All earlier ones end."
    next_page = "two_factor"

    def proven(self) -> HttpResponse:
        codes = two_factor.recovery_codes_renew(user=self.user)
        return self.codes_page(codes, "All earlier codes have ended.")


class TurnOffView(ProvenView):
    title = "Turn it off"
    action = "Turn off"
    text = "From then on your password alone lets you in. To change phones, set it up again after."

    def proven(self) -> HttpResponse:
        two_factor.two_factor_disable(user=self.user, actor=self.user)
        update_session_auth_hash(self.request, self.user)
        messages.success(self.request, "Two-factor authentication is off.")
        return redirect("two_factor")


def _secret_offered(request: HttpRequest) -> str:
    """The secret on the set-up page, the same until it is used. Sealed: sessions are rows."""
    kept = request.session.get(_OFFERED)
    if kept is not None:
        try:
            return two_factor.secret_open(base64.b64decode(kept))
        except crypto.DecryptionError:
            pass  # made with a secret key that is gone: begin anew
    secret = two_factor.secret_new()
    sealed = two_factor.secret_seal(secret)
    request.session[_OFFERED] = base64.b64encode(sealed).decode()
    return secret


def _demanding_none(memberships: list[Membership]) -> list[Membership]:
    return [each for each in memberships if not each.organization.requires_two_factor]


def qr_code(text: str) -> SafeString:
    """An ``<svg>`` for the page itself; dark on light in both themes, as scanners want it."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=4, light="#fff"
    )
    return mark_safe(out.getvalue().decode())  # noqa: S308 - paths only; the text is not in it
