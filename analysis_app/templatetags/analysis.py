"""How analysis results are shown on a page."""

from django import template

register = template.Library()

_OUTCOME_TONES = {"resolved": "ok", "unresolved": "bad", "follow_up": "warn"}
_SENTIMENT_TONES = {"positive": "ok", "negative": "bad"}


@register.filter
def outcome_tone(outcome: str) -> str:
    return _OUTCOME_TONES.get(outcome, "")


@register.filter
def sentiment_tone(label: str) -> str:
    return _SENTIMENT_TONES.get(label, "")


@register.filter
def signed(number: float) -> str:
    return f"{number:+.2f}".replace("-", "\N{MINUS SIGN}")


@register.filter
def unlocalized(number: float) -> str:
    """A number as SVG and JavaScript read it."""
    return f"{number:g}"


@register.filter
def of_hundred(score: int | None) -> str:
    return "no score" if score is None else f"{score} of 100"
