"""Input of the recordings API."""

from typing import Any

from drf_spectacular.utils import extend_schema_field

from kallglot_site.api.serializers import StrictChoiceField, StrictSerializer
from recordings_app.media.formats import FORMATS, SAMPLE_RATES
from recordings_app.models import Recording


class RecordingListQuery(StrictSerializer):
    channel = StrictChoiceField(Recording.Channel.values, required=False)


@extend_schema_field({"type": "integer", "enum": list(SAMPLE_RATES)})
class SampleRateField(StrictChoiceField):
    """A sample rate in hertz, as text in a query string."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__([str(rate) for rate in SAMPLE_RATES], **kwargs)


class DownloadQuery(StrictSerializer):
    """An omitted parameter means the recording's own format or sample rate."""

    format = StrictChoiceField(FORMATS, required=False)
    sample_rate = SampleRateField(required=False)
