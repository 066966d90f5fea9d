"""Forms of the session pages. Filters are in the URL, so that a list can be shared."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone

from sessions_app.models import Session
from sessions_app.search.sessions import Criteria
from sessions_app.search.terms import parse

MINUTE = 60


def _choices(values: list[str], empty: str) -> list[tuple[str, str]]:
    return [("", empty), *((value, value.replace("_", " ").capitalize()) for value in values)]


def _date(label: str) -> forms.DateField:
    return forms.DateField(
        label=label, required=False, widget=forms.DateInput(attrs={"type": "date"})
    )


def _minutes(label: str) -> forms.FloatField:
    return forms.FloatField(label=label, required=False, min_value=0, max_value=100_000)


class SessionFilter(forms.Form):
    """The filters of the list. An invalid value is marked and does not filter."""

    use_required_attribute = False

    q = forms.CharField(
        label="Search transcripts",
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": "Search transcripts", "autocomplete": "off"}
        ),
    )
    status = forms.ChoiceField(
        required=False, choices=_choices(Session.Status.values, "Any status")
    )
    mode = forms.ChoiceField(required=False, choices=_choices(Session.Mode.values, "Any mode"))
    since = _date("From")
    until = _date("To")
    language = forms.CharField(
        required=False,
        max_length=8,
        widget=forms.TextInput(attrs={"placeholder": "es", "autocomplete": "off"}),
    )
    shortest = _minutes("Minimum minutes")
    longest = _minutes("Maximum minutes")
    sentiment = forms.ChoiceField(
        required=False, choices=_choices(["positive", "neutral", "negative"], "Any")
    )
    compliance = forms.ChoiceField(required=False, choices=_choices(["passed", "failed"], "Any"))
    meta = forms.CharField(
        label="Metadata",
        required=False,
        max_length=600,
        widget=forms.TextInput(attrs={"placeholder": "customer_id=cust_123"}),
    )

    MORE = ("since", "until", "shortest", "longest", "language", "meta", "sentiment", "compliance")

    def clean_meta(self) -> tuple[str, str] | None:
        key, mark, value = str(self.cleaned_data["meta"]).partition("=")
        if not key:
            return None
        if not mark:
            raise forms.ValidationError("Write it as key=value.")
        return key.strip(), value.strip()

    def criteria(self) -> Criteria:
        """The valid filters. Days are days in the reader's time zone."""
        self.is_valid()
        data: dict[str, Any] = self.cleaned_data
        return Criteria(
            terms=parse(data.get("q", "")),
            status=data.get("status", ""),
            mode=data.get("mode", ""),
            language=data.get("language", "").strip().lower(),
            created_after=_midnight(data.get("since"), just_before=True),
            created_before=_midnight(data.get("until"), days=1),
            shortest=_seconds(data.get("shortest")),
            longest=_seconds(data.get("longest")),
            sentiment=data.get("sentiment", ""),
            compliance=data.get("compliance", ""),
            metadata=data.get("meta"),
        )

    def is_narrowed(self) -> bool:
        return self.criteria() != Criteria()

    def narrowed_more(self) -> int:
        """How many of the filters under "More" are in use."""
        return sum(bool(self.data.get(name)) for name in self.MORE)

    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MORE]


def _midnight(
    day: datetime.date | None, *, days: int = 0, just_before: bool = False
) -> datetime.datetime | None:
    """The start of the day. The bound is exclusive: ``just_before`` includes the start itself."""
    if day is None or not 1970 <= day.year <= 9998:
        return None
    start = datetime.datetime.combine(day + datetime.timedelta(days=days), datetime.time.min)
    moment = timezone.make_aware(start)
    return moment - datetime.timedelta(microseconds=1) if just_before else moment


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * MINUTE
