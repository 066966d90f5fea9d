"""The dashboard's template tags and filters: ``{% load components %}``.

Blocks (``{% panel %}``, ``{% data_table %}``) wrap markup. Plain markup is in
``templates/components/``, to be included: each file begins with its usage.
"""

import datetime
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kallglot_site.accounts.models import Scope

register = template.Library()


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon. Without a label it is decoration, hidden from screen readers."""
    return format_html(
        '<svg class="icon"{}><use href="{}#{}"></use></svg>',
        format_html(' role="img" aria-label="{}"', label)
        if label
        else SafeString(' aria-hidden="true"'),
        static("vendor/lucide-1.62.0/icons.svg"),
        name,
    )


@register.simple_block_tag
def panel(
    content: str,
    title: str = "",
    small: str = "",
    classes: str = "",
    id: str = "",
) -> SafeString:
    """A box with a heading: ``{% panel title="Summary" small="local" %}…{% endpanel %}``."""
    return render_to_string(
        "components/panel.html",
        {"content": content, "title": title, "small": small, "classes": classes, "id": id},
    )


@register.simple_block_tag
def data_table(content: str, label: str = "", classes: str = "") -> SafeString:
    """A table that scrolls inside itself on a phone: put ``<thead>`` and ``<tbody>`` inside."""
    return render_to_string(
        "components/table.html", {"content": content, "label": label, "classes": classes}
    )


@register.filter
def when(value: Any, style: str = "short") -> str | SafeString:
    """A time in the reader's zone, with the exact time on hover.

    Styles: ``short`` (22 Nov 14:02), ``precise`` (22 Nov 14:02:31), ``long`` (22 Nov 2026
    14:02:31), ``time`` (14:02:31), ``date`` (22 Nov 2026), ``ago`` (3 min ago, kept current by the
    page). Takes a datetime or ISO 8601 text.
    """
    moment = parse_datetime(value) if isinstance(value, str) else value
    if not moment:
        return "—"
    local = timezone.localtime(moment)
    forms = {
        "precise": "%-d %b %H:%M:%S",
        "long": "%-d %b %Y %H:%M:%S",
        "time": "%H:%M:%S",
        "date": "%-d %b %Y",
    }
    text = local.strftime(forms.get(style, "%-d %b %H:%M"))
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        iso(moment),
        local.strftime("%-d %b %Y %H:%M:%S %Z"),
        SafeString(" data-ago") if style == "ago" else "",
        _ago(moment) if style == "ago" else text,
    )


@register.filter
def iso(moment: datetime.datetime) -> str:
    """ISO 8601 in milliseconds: ``<time datetime>`` allows no more than three digits."""
    return moment.isoformat(timespec="milliseconds")


def _ago(moment: Any) -> str:
    seconds = (timezone.now() - moment).total_seconds()
    ahead, seconds = seconds < 0, abs(seconds)
    if seconds < 45:
        return "in a moment" if ahead else "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size * 0.99:
            text = f"{round(seconds / size)} {unit}"
            return f"in {text}" if ahead else f"{text} ago"
    return "in 1 min" if ahead else "1 min ago"


@register.filter
def due(moment: Any) -> str | SafeString:
    """When something will happen: "in 5 min", or "now" if it is due."""
    return "now" if moment and moment <= timezone.now() else when(moment, "ago")


@register.filter
def took(milliseconds: Any) -> str:
    """A duration: 84 ms, 14.1 s. A dash for None."""
    if milliseconds is None:
        return "—"
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


@register.filter
def code_spans(text: str) -> SafeString:
    """Text in which `backticks` mark code, as in Markdown."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html("<code>{}</code>", piece) if number % 2 else piece,)
            for number, piece in enumerate(text.split("`"))
        ),
    )


@register.filter
def clock(seconds: Any) -> str:
    """Seconds as 04:12, or 1:04:12 from an hour on; a dash for None. For positions in a call."""
    if seconds is None:
        return "—"
    return _clock(int(float(seconds)))


@register.filter
def duration(seconds: Any) -> str:
    """A duration as ``clock`` writes it, rounded to the nearest second."""
    return "—" if seconds is None else _clock(int(float(seconds) + 0.5))


@register.filter
def minutes(value: float) -> str:
    """Whole minutes, rounded: 1,204. "<1" if there is less than one, "0" for none."""
    return "<1" if 0 < value < 1 else f"{int(value + 0.5):,}"


def _clock(whole: int) -> str:
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60:02}:{rest % 60:02}"


@register.filter
def words(value: Any) -> str:
    """A code name as words: ``bidirectional_translation`` → bidirectional translation."""
    return str(value or "").replace("_", " ")


@register.filter
def short_id(value: Any) -> str:
    """A shortened id: sess_01KD3M…7Q2."""
    text = str(value)
    return text if len(text) <= 18 else f"{text[:11]}…{text[-4:]}"


@register.filter
def masked_phone(value: Any) -> str:
    """A phone number without its middle: +34 ••• 218. A dash for none."""
    text = str(value or "")
    if not text:
        return "—"
    return f"{text[:3]} ••• {text[-3:]}" if len(text) > 7 else "•••"


SCOPES = {
    Scope.SESSIONS_READ: "Read sessions",
    Scope.SESSIONS_WRITE: "Create and end sessions",
    Scope.RECORDINGS_READ: "Read recordings",
    Scope.ANALYSIS_READ: "Read analyses",
    Scope.ANALYSIS_WRITE: "Request analyses",
    Scope.WEBHOOKS_READ: "Read webhooks and events",
    Scope.WEBHOOKS_WRITE: "Change webhooks",
    Scope.AGENTS_READ: "Read AI agents and search knowledge bases",
    Scope.AGENTS_WRITE: "Manage AI agents and knowledge bases",
}


@register.filter
def scope_labels(scopes: list[str]) -> list[str]:
    """Scopes of an API key as words."""
    return [SCOPES[Scope(scope)] for scope in scopes]


TONES = {
    "active": "live",
    "live": "live",
    "created": "warn",
    "ended": "",
    "ready": "ok",
    "complete": "ok",
    "delivered": "ok",
    "enabled": "ok",
    "resolved": "ok",
    "positive": "ok",
    "passed": "ok",
    "processing": "busy",
    "queued": "busy",
    "pending": "busy",
    "failed": "bad",
    "disabled": "bad",
    "unresolved": "bad",
    "negative": "bad",
    "deleted": "",
    "cancelled": "",
    "follow_up": "warn",
}


@register.filter
def tone(value: Any) -> str:
    """The badge tone of a status: ok, bad, warn, busy, live or "" (plain)."""
    return TONES.get(str(value), "")
