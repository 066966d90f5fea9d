"""Recordings over REST: metadata, downloads, bytes, and every state in between."""

import datetime
import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.storage import default_storage
from django.test import AsyncClient
from django.utils import timezone

from recordings_app import variants
from recordings_app.media.links import VALID_SECONDS
from recordings_app.models import Recording, RecordingFile
from recordings_app.queues import VARIANTS
from recordings_app.services import recording_delete
from recordings_app.variants import variant_make, variants_run_due
from tests.factories import SessionFactory, recording_ready
from tests.recordings_app.audio import agreement, decoded, voice
from tests.recordings_app.calls import make_due
from tests.recordings_app.media.test_encoding import encoded

CONTENT = bytes(range(256)) * 1200


@pytest.fixture
def recording(cast):
    return recording_ready(cast.tenant, CONTENT)


def body(response):
    return b"".join(response.streaming_content)


def test_the_recording_object_has_all_fields(api, recording):
    found = api.get(f"/v1/recordings/{recording.id}").json()
    assert found == {
        "id": recording.id,
        "object": "recording",
        "session_id": recording.session_id,
        "channel": "mixed",
        "status": "ready",
        "duration": 3.0,
        "format": "mp3",
        "size": len(CONTENT),
        "sample_rate": 8000,
        "bit_depth": 16,
        "download_url": f"/v1/recordings/{recording.id}/download",
        "created_at": found["created_at"],
        "expires_at": found["expires_at"],
    }
    assert found["created_at"].endswith("Z")
    assert found["expires_at"].endswith("Z")


def test_a_sessions_recordings_are_a_list_that_can_be_filtered_by_channel(api, recording):
    agent = Recording.objects.create(
        session=recording.session,
        organization=recording.organization,
        environment=recording.environment,
        channel="agent",
        format="wav",
        expires_at=recording.expires_at,
    )
    url = f"/v1/sessions/{recording.session_id}/recordings"
    listed = api.get(url).json()
    assert [each["id"] for each in listed["data"]] == [agent.id, recording.id]
    assert listed["url"] == url
    only = api.get(url, {"channel": "agent"}).json()
    assert [each["id"] for each in only["data"]] == [agent.id]
    refused = api.get(url, {"channel": "both"})
    assert refused.status_code == 422
    assert refused.json()["error"]["param"] == "channel"


def test_a_session_without_recordings_has_an_empty_list(api, cast):
    session = SessionFactory.create(organization=cast.organization)
    listed = api.get(f"/v1/sessions/{session.id}/recordings").json()
    assert (listed["data"], listed["has_more"]) == ([], False)


def test_a_download_redirects_to_a_signed_url_that_needs_no_key(api, client, recording):
    response = api.get(f"/v1/recordings/{recording.id}/download")
    assert response.status_code == 302
    link = response["Location"]
    assert link.startswith("http://testserver/media/")
    fetched = client.get(link)
    assert fetched.status_code == 200
    assert body(fetched) == CONTENT
    assert fetched["Content-Type"] == "audio/mpeg"
    assert fetched["Content-Disposition"] == (
        f'attachment; filename="recording-{recording.session_id}.mp3"'
    )


def test_a_signed_address_is_valid_for_an_hour(api, client, recording, monkeypatch):
    link = api.get(f"/v1/recordings/{recording.id}/download")["Location"]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + VALID_SECONDS - 5)
    assert client.get(link).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + VALID_SECONDS + 5)
    assert client.get(link).status_code == 403


def test_a_signed_address_altered_in_any_way_is_refused(api, cast, client, recording):
    link = api.get(f"/v1/recordings/{recording.id}/download")["Location"]
    other = recording_ready(cast.other_tenant).files.get()
    parts = urlsplit(link)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    own = recording.files.get().id
    later = str(int(query["expires"]) + 1)
    for bad in (
        link.replace(own, other.id),
        link.replace(query["expires"], later),
        link.replace(".mp3", ".wav"),
        link[:-1] + ("A" if link[-1] != "A" else "B"),
        parts.path,
        f"{parts.path}?expires={query['expires']}",
        f"{parts.path}?expires=&signature={query['signature']}",
        f"{parts.path}?expires=99999999999999999999&signature={query['signature']}",
        f"{parts.path}?expires=%00&signature=%0d%0a",
    ):
        refused = client.get(bad)
        assert refused.status_code == 403, bad
        assert refused.json()["error"]["code"] == "insufficient_permissions"


def test_a_signed_address_survives_a_new_secret_key(api, client, recording, settings):
    link = api.get(f"/v1/recordings/{recording.id}/download")["Location"]
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert client.get(link).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(link).status_code == 403


def test_a_signed_address_ends_with_the_recording(
    api, client, recording, django_capture_on_commit_callbacks
):
    link = api.get(f"/v1/recordings/{recording.id}/download")["Location"]
    recording_delete(recording=recording)
    gone = client.get(link)
    assert gone.status_code == 410
    assert gone.json()["error"]["code"] == "recording_expired"


def test_other_methods_on_a_signed_address_are_refused(api, client, recording):
    link = api.get(f"/v1/recordings/{recording.id}/download")["Location"]
    assert client.post(link).status_code == 405


@pytest.mark.parametrize("path", ["download", "audio"])
def test_while_processing_a_download_answers_202_with_retry_after(api, recording, path):
    Recording.objects.update(status="processing")
    response = api.get(f"/v1/recordings/{recording.id}/{path}")
    assert response.status_code == 202
    assert int(response["Retry-After"]) > 0
    assert response.json()["status"] == "processing"


@pytest.mark.parametrize("path", ["download", "audio"])
def test_after_a_failure_a_download_answers_409(api, recording, path):
    Recording.objects.update(status="failed")
    response = api.get(f"/v1/recordings/{recording.id}/{path}")
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "recording_failed"


@pytest.mark.parametrize("path", ["download", "audio"])
def test_past_retention_a_download_answers_410_before_the_deletion_too(api, recording, path):
    Recording.objects.update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    response = api.get(f"/v1/recordings/{recording.id}/{path}")
    assert response.status_code == 410
    assert response.json()["error"]["code"] == "recording_expired"
    metadata = api.get(f"/v1/recordings/{recording.id}")
    assert metadata.status_code == 200
    assert metadata.json()["status"] == "deleted"
    assert metadata.json()["download_url"] is None


def test_a_file_deleted_just_now_answers_410(api, recording):
    default_storage.delete(recording.files.get().name)
    response = api.get(f"/v1/recordings/{recording.id}/audio")
    assert response.status_code == 410


def test_the_whole_file_is_served_with_a_safe_name(api, recording):
    response = api.get(f"/v1/recordings/{recording.id}/audio")
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(CONTENT))
    assert response["Accept-Ranges"] == "bytes"
    assert response["Content-Disposition"] == (
        f'attachment; filename="recording-{recording.session_id}.mp3"'
    )
    assert body(response) == CONTENT


def test_a_channels_file_is_named_after_it(api, cast):
    agent = recording_ready(cast.tenant, channel="agent", format="wav")
    response = api.get(f"/v1/recordings/{agent.id}/audio")
    assert response["Content-Disposition"].endswith(f'{agent.session_id}-agent.wav"')
    assert response["Content-Type"] == "audio/wav"


@pytest.mark.parametrize("key", ["", "a key"])
@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=200000-", 200000, None),
        ("bytes=-1", -1, None),
        ("bytes=65530-65560", 65530, 65561),
    ],
)
def test_a_range_gives_that_part(api, cast, settings, key, header, start, end):
    settings.MEDIA_KEY = key
    recording = recording_ready(cast.tenant, CONTENT)
    response = api.get(f"/v1/recordings/{recording.id}/audio", headers={"Range": header})
    expected = CONTENT[start:end]
    assert response.status_code == 206
    assert body(response) == expected
    assert response["Content-Length"] == str(len(expected))
    assert re.fullmatch(rf"bytes \d+-\d+/{len(CONTENT)}", response["Content-Range"])


def test_a_range_beyond_the_end_is_416(api, recording):
    beyond = {"Range": f"bytes={len(CONTENT)}-"}
    response = api.get(f"/v1/recordings/{recording.id}/audio", headers=beyond)
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{len(CONTENT)}"


def test_a_few_ranges_come_in_parts(api, recording):
    ranges = {"Range": "bytes=0-9,100-109"}
    response = api.get(f"/v1/recordings/{recording.id}/audio", headers=ranges)
    assert response.status_code == 206
    content = body(response)
    assert response["Content-Type"].startswith("multipart/byteranges; boundary=")
    assert response["Content-Length"] == str(len(content))
    assert content.count(b"Content-Range: bytes") == 2
    assert CONTENT[:10] in content
    assert CONTENT[100:110] in content


def test_a_thousand_ranges_get_no_more_than_the_file(api, recording):
    many = {"Range": "bytes=" + ",".join(f"{n}-{n + 50000}" for n in range(1000))}
    response = api.get(f"/v1/recordings/{recording.id}/audio", headers=many)
    assert response.status_code == 200
    assert len(body(response)) == len(CONTENT)


def test_an_unchanged_file_is_not_sent_again(api, recording):
    url = f"/v1/recordings/{recording.id}/audio"
    etag = api.head(url)["ETag"]
    assert api.get(url, headers={"If-None-Match": etag}).status_code == 304
    stale = api.get(url, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert stale.status_code == 200
    fresh = api.get(url, headers={"Range": "bytes=0-9", "If-Range": etag})
    assert fresh.status_code == 206


def test_head_answers_with_headers_and_no_body(api, recording):
    response = api.head(f"/v1/recordings/{recording.id}/audio")
    assert response.status_code == 200
    assert response["Content-Length"] == str(len(CONTENT))
    assert response.content == b""


@pytest.mark.parametrize(
    "query", [{"format": "flac"}, {"sample_rate": "11025"}, {"sample_rate": "x"}, {"bitrate": "1"}]
)
def test_a_variant_that_is_not_offered_is_refused_by_name(api, recording, query):
    response = api.get(f"/v1/recordings/{recording.id}/download", query)
    assert response.status_code == 422
    assert response.json()["error"]["param"] == next(iter(query))


def test_a_variant_is_made_once_when_asked_for_and_kept(api, client, cast):
    source = voice(4)
    recording = recording_ready(cast.tenant, encoded(source, "mp3", 8000))
    url = f"/v1/recordings/{recording.id}/download?format=ogg&sample_rate=16000"
    assert api.get(url).status_code == 202
    assert api.get(url).status_code == 202
    variant = RecordingFile.objects.get(format="ogg")
    assert variant_make(file_id=variant.id)
    response = api.get(url)
    assert response.status_code == 302
    assert not variant_make(file_id=variant.id), "there is nothing left to make"
    fetched = client.get(response["Location"])
    assert fetched["Content-Type"] == "audio/ogg"
    (heard,), rate = decoded(body(fetched))
    assert rate == 16000
    assert abs(agreement(heard[::2], source, 8000).lag) < 0.02
    assert api.get(f"/v1/recordings/{recording.id}").json()["format"] == "mp3"


def test_a_variant_that_cannot_be_made_fails_after_some_tries(api, recording):
    url = f"/v1/recordings/{recording.id}/download?format=wav"
    assert api.get(url).status_code == 202
    variant = RecordingFile.objects.get(format="wav")
    for _ in range(3):
        make_due(RecordingFile)
        assert not variant_make(file_id=variant.id)
    assert api.get(url).status_code == 409
    assert api.get(f"/v1/recordings/{recording.id}/download").status_code == 302


def test_a_variant_of_a_lost_original_fails_instead_of_being_tried_for_ever(api, recording):
    url = f"/v1/recordings/{recording.id}/download?format=wav"
    assert api.get(url).status_code == 202
    recording.files.filter(format=recording.format).delete()
    for _ in range(VARIANTS.max_attempts):
        make_due(RecordingFile)
        variants_run_due()
    assert RecordingFile.objects.get(format="wav").status == "failed"


def test_a_variant_whose_worker_is_killed_each_time_fails(api, recording, monkeypatch):
    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    assert api.get(f"/v1/recordings/{recording.id}/download?format=wav").status_code == 202
    monkeypatch.setattr(variants, "convert", die)
    for _ in range(VARIANTS.max_attempts):
        with pytest.raises(Killed):
            variants_run_due()
        make_due(RecordingFile)
    variants_run_due()
    assert RecordingFile.objects.get(format="wav").status == "failed"


@pytest.mark.django_db(transaction=True)
async def test_under_asgi_audio_is_streamed_in_chunks(cast, settings):
    from asgiref.sync import sync_to_async

    recording = await sync_to_async(recording_ready)(cast.tenant, CONTENT)
    url = f"/v1/recordings/{recording.id}/audio"
    response: Any = await AsyncClient().get(url, headers={"Authorization": f"Bearer {cast.key}"})
    assert response.is_async
    chunks = [chunk async for chunk in response.streaming_content]
    assert len(chunks) > 1
    assert b"".join(chunks) == CONTENT


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc%2fpasswd", "a%00b", "a%0d%0aX-Evil:1", "%22;x=%22", "%c3%a9.mp3"]
)
def test_a_hostile_name_reaches_neither_disk_nor_header(client, recording, name):
    file_id = recording.files.get().id
    response = client.get(f"/media/{file_id}/{name}?expires=9999999999&signature=x")
    assert response.status_code in (400, 403, 404)
    assert "X-Evil" not in response
    assert client.get(f"/media/{name}/x.mp3").status_code in (400, 403, 404)
