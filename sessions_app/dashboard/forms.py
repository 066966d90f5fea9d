"""Forms of the session pages. Filters live in the address: a filtered list can be shared."""

from typing import Any

from django import forms

from sessions_app.models import Session


def _choices(values: list[str], empty: str) -> list[tuple[str, str]]:
    return [("", empty), *((value, value.replace("_", " ")) for value in values)]


class SessionFilter(forms.Form):
    """What a list shows. A value that is not understood filters nothing and is marked."""

    status = forms.ChoiceField(
        required=False, choices=_choices(Session.Status.values, "Any status")
    )
    mode = forms.ChoiceField(required=False, choices=_choices(Session.Mode.values, "Any mode"))

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``session_list``."""
        self.is_valid()
        return {name: value or None for name, value in self.cleaned_data.items()}

    def is_narrowed(self) -> bool:
        return any(self.arguments().values())
