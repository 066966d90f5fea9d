"""Input of the recordings API."""

from kallglot_site.api.serializers import StrictChoiceField, StrictSerializer
from recordings_app.media.encoding import FORMATS, SAMPLE_RATES
from recordings_app.models import Recording


class RecordingListQuery(StrictSerializer):
    channel = StrictChoiceField(Recording.Channel.values, required=False)


class DownloadQuery(StrictSerializer):
    """An omitted parameter means the recording's own format or sample rate."""

    format = StrictChoiceField(FORMATS, required=False)
    sample_rate = StrictChoiceField([str(rate) for rate in SAMPLE_RATES], required=False)
