"""Forms of the analysis pages."""

import re
from typing import Any

from django import forms
from django.utils.text import slugify

from analysis_app.engines.base import ANALYSIS_TYPES

TYPE_CHOICES = [(name, name.replace("_", " ").capitalize()) for name in ANALYSIS_TYPES]


class RequestForm(forms.Form):
    analyses = forms.MultipleChoiceField(
        choices=TYPE_CHOICES, widget=forms.CheckboxSelectMultiple, label="Analyses"
    )


class PolicyForm(forms.Form):
    automatic = forms.MultipleChoiceField(
        choices=TYPE_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label="Analyze every call",
        help_text="They start when the transcript of a call is complete.",
    )


def check_name(text: str) -> str:
    """The name that the API shows: ``Recording notice`` → ``recording_notice``."""
    if re.fullmatch(r"[-\w]+", text, re.ASCII) and text != text.capitalize():
        return text  # it is in that form already
    return slugify(text).replace("-", "_")


def check_label(name: str) -> str:
    """The name as words; unchanged if ``check_name`` would turn the words into a different name."""
    label = name.replace("_", " ").capitalize()
    return label if check_name(label) == name else name


class CheckForm(forms.Form):
    """One compliance check. A check without phrases is not saved."""

    name = forms.CharField(max_length=60, required=False, help_text="Such as Recording notice.")
    kind = forms.ChoiceField(
        choices=[("required", "Must be said"), ("forbidden", "Must not be said")]
    )
    speaker = forms.ChoiceField(
        choices=[("", "Either"), ("agent", "Agent"), ("customer", "Customer")], required=False
    )
    position = forms.ChoiceField(
        choices=[
            ("anywhere", "Anywhere"),
            ("first", "In the first seconds"),
            ("last", "In the last seconds"),
        ]
    )
    within = forms.FloatField(min_value=1, max_value=36_000, required=False, label="Seconds")
    phrases = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        max_length=5000,
        help_text="One phrase per line. One match is enough.",
    )

    def clean_name(self) -> str:
        name = check_name(str(self.cleaned_data["name"]))
        if self.cleaned_data["name"] and not name:
            raise forms.ValidationError("Use letters or digits.")
        return name

    @property
    def is_kept(self) -> bool:
        return bool(self.cleaned_data.get("phrases")) and not self.cleaned_data.get("DELETE")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        phrases = [line.strip() for line in data.get("phrases", "").splitlines() if line.strip()]
        if any(len(phrase) > 200 for phrase in phrases):
            self.add_error("phrases", "A phrase has at most 200 characters.")
        if len(phrases) > 50:
            self.add_error("phrases", "A check has at most 50 phrases.")
        if phrases and not data.get("name"):
            self.add_error("name", "A check needs a name.")
        if data.get("name") and not phrases and not data.get("DELETE"):
            self.add_error("phrases", "A check needs at least one phrase.")
        if data.get("position") != "anywhere" and phrases and not data.get("within"):
            self.add_error("within", "Enter the number of seconds.")
        data["phrases"] = phrases
        return data

    def as_rule(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "name": data["name"],
            "kind": data["kind"],
            "speaker": data["speaker"] or None,
            "position": data["position"],
            "within": data["within"] if data["position"] != "anywhere" else None,
            "phrases": data["phrases"],
        }


CheckFormSet = forms.formset_factory(
    CheckForm, extra=1, max_num=30, validate_max=True, can_delete=True, can_delete_extra=False
)
