"""Calls in the browser: a staff member's microphone is the agent's side of a session.

The page gets a stream token and uses the streaming protocol, as any program does. The customer
joins with a signed link, without an account. The link is for one session and one speaker. It is
valid for an hour, and not after the session has ended.
"""

from typing import Any, Final

from django import forms
from django.core import signing
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from kallglot_site.accounts.dashboard.access import StaffView
from kallglot_site.accounts.dashboard.audit import audit
from kallglot_site.accounts.dashboard.middleware import secret_link_protect
from kallglot_site.api.errors import ApiError
from kallglot_site.api.links import public_url, stream_url
from sessions_app import capabilities, selectors, services
from sessions_app.languages import NAMES, is_language_code
from sessions_app.models import Session
from sessions_app.streaming.wire.tokens import stream_token_issue

STAFF_SIDE: Final = "agent"
CUSTOMER_SIDE: Final = "customer"
INVITATION_SECONDS: Final = 3600
_SALT: Final = "kallglot.talk-invitation"
MODES: Final = (
    ("transcription", "Transcription"),
    ("bidirectional_translation", "Translation, both ways"),
    ("assistive_translation", "Translation for the customer, transcript for you"),
)


def _language(label: str) -> forms.CharField:
    # Not a ChoiceField: a request may name a region (es-MX), and services say what is possible.
    return forms.CharField(label=label, required=False, max_length=8, widget=forms.Select)


class TalkForm(forms.Form):
    """Offers the modes and languages that this installation can serve."""

    mode = forms.ChoiceField(choices=MODES, initial="transcription")
    source_language = _language("The customer speaks")
    target_language = _language("You speak")
    record = forms.BooleanField(label="Record the call", required=False, initial=True)

    def offer(self) -> None:
        served = capabilities.translating_modes()
        # Set on the widget: a mode that is not offered is refused with the reason.
        mode: Any = self.fields["mode"]
        mode.widget.choices = [
            choice for choice in MODES if choice[0] in ("transcription", *served)
        ]
        if not served:
            mode.help_text = (
                "To translate calls, the server needs a translator, such as apertium-en-es."
            )
        pairs = [pair for served_mode in served for pair in capabilities.conversations(served_mode)]
        _offer(self.fields["source_language"], {customer for customer, _ in pairs})
        _offer(self.fields["target_language"], {agent for _, agent in pairs})

    def clean_source_language(self) -> str | None:
        return self._clean_language("source_language")

    def clean_target_language(self) -> str | None:
        return self._clean_language("target_language")

    def _clean_language(self, name: str) -> str | None:
        code = str(self.cleaned_data[name]).strip()
        if code and not is_language_code(code):
            raise forms.ValidationError("Enter a language code such as es, or leave it empty.")
        return code or None


def _offer(field: Any, translated: set[str]) -> None:
    heard = {language.code for language in capabilities.languages() if language.heard}
    groups: list[Any] = [("", "Detected automatically")]
    if translated:
        groups.append(("Translated", _named(translated)))
    if heard - translated:
        groups.append(("Transcribed only", _named(heard - translated)))
    field.widget.choices = groups


def _named(codes: set[str]) -> list[tuple[str, str]]:
    return sorted(((code, NAMES[code]) for code in codes & NAMES.keys()), key=lambda each: each[1])


class CallView(StaffView):
    """For requests of the page's script: errors are JSON."""

    def refuse_suspended(self) -> HttpResponse:
        organization = self.request.tenant.organization
        return JsonResponse({"problem": f"{organization.name} is suspended."}, status=403)


class TalkView(CallView):
    """The page. POST creates the session and returns its access as JSON."""

    def get(self, request: HttpRequest) -> HttpResponse:
        form = TalkForm()
        form.offer()
        return render(request, "sessions/talk.html", {"form": form, "side": STAFF_SIDE})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TalkForm(request.POST)
        if not form.is_valid():
            problem = " ".join(str(text) for errors in form.errors.values() for text in errors)
            return JsonResponse({"problem": problem}, status=422)
        data = form.cleaned_data
        try:
            with transaction.atomic():
                session = services.session_create(
                    tenant=self.request.tenant,
                    mode=data["mode"],
                    source_language=data["source_language"],
                    target_language=data["target_language"],
                    recording_enabled=data["record"],
                    recording_channels=Session.Channels.DUAL,
                    provider_type="browser",
                    metadata={"started_by": self.request.user.email},
                )
                audit(self.request, "talk.started", session.id)
        except ApiError as error:
            return JsonResponse({"problem": error.message}, status=422)
        invitation = signing.dumps(session.id, salt=_SALT)
        link = f"{public_url(request)}{reverse('join', args=[invitation])}"
        return JsonResponse(
            _stream_access(request, session, STAFF_SIDE)
            | {
                "invitation": link,
                "token_url": reverse("dashboard:talk_token", args=[session.id]),
                "session_url": reverse("dashboard:session", args=[session.id]),
                "transcript_url": reverse("dashboard:transcript", args=[session.id, "json"]),
            }
        )


class TalkTokenView(CallView):
    """A fresh token to reconnect to a session that was started in the browser."""

    def post(self, request: HttpRequest, session_id: str) -> HttpResponse:
        session = selectors.session_get(tenant=self.request.tenant, session_id=session_id)
        if session.provider_type != "browser":
            raise Http404("This session was not started in a browser.")
        return _token_answer(request, session, STAFF_SIDE)


class JoinView(View):
    """The customer's page, behind the link. It needs no account."""

    def get(self, request: HttpRequest, invitation: str) -> HttpResponse:
        session = _invited_to(invitation)
        context: dict[str, Any] = {"session": session, "side": CUSTOMER_SIDE}
        status = 200 if session is not None else 404
        response = render(request, "sessions/join.html", context, status=status)
        secret_link_protect(response)
        return response

    def post(self, request: HttpRequest, invitation: str) -> HttpResponse:
        session = _invited_to(invitation)
        if session is None:
            return JsonResponse(
                {"problem": "The call has ended, or the link has expired."}, status=410
            )
        return _token_answer(request, session, CUSTOMER_SIDE)


def _invited_to(invitation: str) -> Session | None:
    """The running session of the link. None if the session has ended or the link is not valid."""
    try:
        session_id = signing.loads(invitation, salt=_SALT, max_age=INVITATION_SECONDS)
    except signing.BadSignature:
        return None
    return selectors.session_running(session_id=str(session_id))


def _token_answer(request: HttpRequest, session: Session, side: str) -> HttpResponse:
    if session.is_ended:
        return JsonResponse({"problem": "The call has ended."}, status=410)
    return JsonResponse(_stream_access(request, session, side))


def _stream_access(request: HttpRequest, session: Session, side: str) -> dict[str, Any]:
    token, _ = stream_token_issue(session, None, speakers=[side])
    return {
        "session_id": session.id,
        "side": side,
        "stream_url": f"{stream_url(request)}/v1/sessions/{session.id}/connect",
        "token": token,
    }
