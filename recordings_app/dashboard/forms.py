"""Forms of the recording pages."""

from django import forms

from recordings_app.media.formats import FORMATS, SAMPLE_RATES

LONGEST_RETENTION_DAYS = 3650


class PolicyForm(forms.Form):
    retention_days = forms.IntegerField(
        min_value=1,
        max_value=LONGEST_RETENTION_DAYS,
        label="Keep recordings for",
        help_text="Days after the call. After that the audio is deleted. Transcripts are kept.",
    )


class DownloadForm(forms.Form):
    """Without values: the format and rate of the recording."""

    format = forms.ChoiceField(choices=[(each, each) for each in FORMATS], required=False)
    sample_rate = forms.TypedChoiceField(
        choices=[(each, each) for each in SAMPLE_RATES],
        coerce=int,
        empty_value=None,
        required=False,
    )
