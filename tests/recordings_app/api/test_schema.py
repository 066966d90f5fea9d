"""What the recording endpoints answer, in every state, is what the served schema says."""

import datetime

import pytest
from django.utils import timezone

from recordings_app.media.formats import CONTENT_TYPES, FORMATS, SAMPLE_RATES
from recordings_app.models import Recording, RecordingFile
from recordings_app.queues import VARIANTS
from recordings_app.variants import variants_run_due
from tests.factories import recording_ready
from tests.kallglot_site.api.served_schema import assert_described, described, served
from tests.recordings_app.audio import voice
from tests.recordings_app.calls import make_due
from tests.recordings_app.media.test_encoding import encoded

CONTENT = bytes(range(256)) * 100
RECORDING = "/v1/recordings/{recording_id}"
BOTH = pytest.mark.parametrize("part", ["download", "audio"])


@pytest.fixture
def recording(cast):
    return recording_ready(cast.tenant, CONTENT)


@pytest.fixture
def ask(api):
    """Sends a GET, checks the answer against the served schema, and gives it."""
    document = served(api)

    def get(recording, part, status, query=None, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = api.get(f"/v1/recordings/{recording.id}/{part}", query or {}, headers=names)
        assert answer.status_code == status
        assert_described(document, "GET", f"{RECORDING}/{part}", answer)
        return answer

    return get


def test_a_ready_download_is_a_redirect_without_a_body(ask, api, recording):
    ask(recording, "download", 302)
    answer = described(served(api), "GET", f"{RECORDING}/download", 302)
    assert answer["headers"]["Location"]["required"]
    assert "content" not in answer


@BOTH
def test_while_processing_the_recording_itself_is_the_body(ask, api, recording, part):
    Recording.objects.update(status="processing")
    later = ask(recording, part, 202)
    assert later.json()["id"] == recording.id
    answer = described(served(api), "GET", f"{RECORDING}/{part}", 202)
    assert answer["headers"]["Retry-After"]["required"]
    schema = answer["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Recording"}


def test_while_a_variant_is_made_the_answer_is_the_same(ask, recording):
    later = ask(recording, "download", 202, {"format": "ogg", "sample_rate": "16000"})
    assert later.json()["status"] == "ready"


@BOTH
def test_past_retention_and_after_a_failure_the_answer_is_an_error(ask, recording, part):
    Recording.objects.update(status="failed")
    assert ask(recording, part, 409).json()["error"]["code"] == "recording_failed"
    Recording.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    assert ask(recording, part, 410).json()["error"]["code"] == "recording_expired"


@pytest.mark.parametrize("status", Recording.Status.values)
def test_the_recording_object_is_as_the_schema_says(api, recording, status):
    Recording.objects.update(status=status)
    found = api.get(f"/v1/recordings/{recording.id}")
    assert_described(served(api), "GET", RECORDING, found)


@pytest.mark.parametrize("format", FORMATS)
def test_audio_of_every_format_has_its_media_type(ask, cast, format):
    recording = recording_ready(cast.tenant, CONTENT, format=format)
    whole = ask(recording, "audio", 200)
    part = ask(recording, "audio", 206, Range="bytes=0-99")
    assert whole["Content-Type"] == part["Content-Type"] == CONTENT_TYPES[format]
    assert part["Content-Range"] == f"bytes 0-99/{len(CONTENT)}"


def test_other_answers_to_conditions_and_ranges(ask, recording):
    etag = ask(recording, "audio", 200)["ETag"]
    ask(recording, "audio", 304, If_None_Match=etag)
    ask(recording, "audio", 206, Range="bytes=0-9,100-109")
    beyond = ask(recording, "audio", 416, Range=f"bytes={len(CONTENT)}-")
    assert beyond["Content-Range"] == f"bytes */{len(CONTENT)}"


@pytest.mark.parametrize("status", [200, 206])
def test_audio_is_binary_in_the_schema_with_the_headers_of_the_file(api, status):
    answer = described(served(api), "GET", f"{RECORDING}/audio", status)
    for media in CONTENT_TYPES.values():
        assert answer["content"][media]["schema"] == {"type": "string", "format": "binary"}
    assert {"Accept-Ranges", "Content-Disposition", "Content-Length", "ETag"} <= set(
        answer["headers"]
    )
    assert ("Content-Range" in answer["headers"]) == (status == 206)


def test_every_format_and_sample_rate_of_the_schema_is_made(ask, api, cast):
    recording = recording_ready(cast.tenant, encoded(voice(1), "mp3", 8000))
    operation = served(api)["paths"][f"{RECORDING}/download"]["get"]
    choices = {
        each["name"]: each["schema"]["enum"]
        for each in operation["parameters"]
        if each["in"] == "query"
    }
    assert choices == {"format": list(FORMATS), "sample_rate": list(SAMPLE_RATES)}
    queries = [
        {"format": format, "sample_rate": str(rate)}
        for format in choices["format"]
        for rate in choices["sample_rate"]
    ]
    for query in queries:
        original = query == {"format": "mp3", "sample_rate": "8000"}
        ask(recording, "download", 302 if original else 202, query)
    for _ in range(VARIANTS.max_attempts):
        make_due(RecordingFile)
        variants_run_due()
    for query in queries:
        ask(recording, "download", 302, query)
