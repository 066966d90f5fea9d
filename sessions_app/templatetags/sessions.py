"""How sessions are described on pages: languages, provider, metadata."""

from django import template

from sessions_app.models import Session
from sessions_app.selectors import transcript_languages

register = template.Library()

PROVIDERS = {"websocket": "WebSocket", "browser": "Browser", "twilio": "Twilio", "sip": "SIP"}
METADATA = {"started_by": "Started by"}


@register.filter
def languages(session: Session) -> str:
    """The customer's and the agent's language: "es → en". Without translation "es, en", or "en"."""
    codes = dict.fromkeys(filter(None, transcript_languages(session)))
    return (", " if session.mode == Session.Mode.TRANSCRIPTION else " → ").join(codes)


@register.filter
def provider_label(provider: str) -> str:
    """The name of a provider. Programs may name any: an unknown one is shown as it is."""
    return PROVIDERS.get(provider, provider)


@register.filter
def metadata_label(key: str) -> str:
    """The label of a key that the dashboard itself sets. Others are shown as they are."""
    return METADATA.get(key, key)
