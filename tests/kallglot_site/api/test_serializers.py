import datetime

import pytest
from rest_framework.exceptions import ValidationError

from kallglot_site.api.serializers import MomentField

NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00z",
        "2026-03-01t12:00:00z",
        "2026-03-01t14:00:00+02:00",
        "2026-03-01T14:00:00 02:00",
    ],
)
def test_a_time_is_read_in_either_case(text):
    assert MomentField().to_internal_value(text) == NOON


@pytest.mark.parametrize("text", ["2026-03-01T12:00:00", "noon", "", 7, None])
def test_a_time_without_an_offset_is_refused(text):
    with pytest.raises(ValidationError):
        MomentField().to_internal_value(text)
