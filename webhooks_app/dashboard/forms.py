"""Forms of the webhooks pages."""

from typing import Any

from django import forms

from webhooks_app.delivery.urls import MAX_LENGTH, CheckedUrl, url_check
from webhooks_app.errors import InvalidUrl, LookupsBusy
from webhooks_app.event_types import ALL, CATALOG, SUBSCRIBABLE
from webhooks_app.models import Delivery, Endpoint

HOURS = [("1", "the last hour"), ("24", "the last 24 hours"), ("72", "the last 3 days")]


class EndpointForm(forms.Form):
    """Validation resolves the host name: do not validate inside a transaction."""

    url = forms.CharField(
        label="URL",
        max_length=MAX_LENGTH,
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
        help_text="It must use https and be reachable from the internet.",
    )
    description = forms.CharField(max_length=500, required=False, help_text="Shown in the list.")
    everything = forms.BooleanField(
        label="Send all events, including types that are added later", required=False, initial=True
    )
    events = forms.MultipleChoiceField(
        label="Or only these events",
        choices=[(name, name) for name in SUBSCRIBABLE],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )

    @classmethod
    def of(cls, endpoint: Endpoint) -> "EndpointForm":
        everything = ALL in endpoint.events
        return cls(
            initial={
                "url": endpoint.url,
                "description": endpoint.description,
                "everything": everything,
                "events": [] if everything else endpoint.events,
            }
        )

    def clean_url(self) -> CheckedUrl:
        try:
            return url_check(self.cleaned_data["url"])
        except (InvalidUrl, LookupsBusy) as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("everything") and not data.get("events"):
            self.add_error("events", "Select at least one event, or send all events.")
        return data

    def arguments(self) -> dict[str, Any]:
        """For the services."""
        data = self.cleaned_data
        return {
            "url": data["url"],
            "description": data["description"],
            "events": [ALL] if data["everything"] else data["events"],
        }


class DeliveryFilter(forms.Form):
    status = forms.ChoiceField(
        choices=[("", "Any status"), *Delivery.Status.choices], required=False
    )
    type = forms.ChoiceField(
        choices=[("", "Any event"), *((name, name) for name in CATALOG)], required=False
    )

    def criteria(self) -> dict[str, str]:
        """The filters. An invalid value does not filter."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class EventFilter(forms.Form):
    type = forms.ChoiceField(
        choices=[("", "Any event"), *((name, name) for name in CATALOG)], required=False
    )
    session_id = forms.CharField(
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "Session id", "autocomplete": "off"}),
    )

    def criteria(self) -> dict[str, str]:
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class RedeliverForm(forms.Form):
    hours = forms.ChoiceField(choices=HOURS)
