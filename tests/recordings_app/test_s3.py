"""The same behaviour with S3: a real server that speaks it, and several machines' spools."""

import datetime
import uuid

import boto3
import httpx
import pytest
from django.utils import timezone
from moto.server import ThreadedMotoServer

from recordings_app import assembly
from recordings_app.assembly import session_assemble
from recordings_app.deletions import deletions_run_due
from recordings_app.media import storage
from recordings_app.models import Assembly, Deletion, Recording, RecordingFile, SpoolPart
from recordings_app.services import recording_delete
from recordings_app.spool import shipper
from recordings_app.spool.durability import syncer
from recordings_app.spool.parts import local_parts
from recordings_app.variants import variant_make
from sessions_app.models import Track
from sessions_app.services import session_erase
from tests.factories import recording_ready
from tests.recordings_app.audio import agreement, decoded, feed, voice
from tests.recordings_app.calls import end, make_due
from tests.recordings_app.media.test_encoding import encoded

pytestmark = pytest.mark.django_db(transaction=True)

CONTENT = bytes(range(256)) * 1000


@pytest.fixture(scope="module")
def s3_url():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_url, settings):
    """An empty bucket as the default storage, and spools that are uploaded."""
    from kallglot_site.settings import _storage

    name = f"recordings-{uuid.uuid4().hex[:8]}"
    client = boto3.resource(
        "s3",
        endpoint_url=s3_url,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    found = client.create_bucket(Bucket=name)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": _storage(
            f"s3://key:secret@{name}/some/prefix?endpoint={s3_url}&region=us-east-1"
        ),
    }
    settings.SPOOL_UPLOAD = True
    return found


def keys(bucket):
    return [each.key for each in bucket.objects.all()]


def track(session, speaker, generation=1):
    Track.objects.create(session=session, speaker=speaker, generation=generation)


def test_a_download_redirects_to_s3_with_a_safe_file_name(bucket, api, cast):
    recording = recording_ready(cast.tenant, CONTENT)
    response = api.get(f"/v1/recordings/{recording.id}/download")
    assert response.status_code == 302
    assert "X-Amz-Expires=3600" in response["Location"]
    fetched = httpx.get(response["Location"], trust_env=False)
    assert fetched.content == CONTENT
    assert fetched.headers["Content-Type"] == "audio/mpeg"
    assert fetched.headers["Content-Disposition"] == (
        f'attachment; filename="recording-{recording.session_id}.mp3"'
    )


@pytest.mark.parametrize(
    ("header", "start", "end"), [("bytes=0-9", 0, 10), ("bytes=255990-", 255990, None)]
)
def test_audio_and_ranges_from_s3_are_served_by_the_api(bucket, api, cast, header, start, end):
    recording = recording_ready(cast.tenant, CONTENT)
    url = f"/v1/recordings/{recording.id}/audio"
    assert b"".join(api.get(url).streaming_content) == CONTENT
    part = api.get(url, headers={"Range": header})
    assert part.status_code == 206
    assert b"".join(part.streaming_content) == CONTENT[start:end]


def test_a_missing_object_is_answered_as_expired(bucket, api, cast):
    recording = recording_ready(cast.tenant, CONTENT)
    storage.remove(recording.files.get().name)
    assert api.get(f"/v1/recordings/{recording.id}/audio").status_code == 410


def test_a_variant_is_made_from_s3_into_s3(bucket, api, cast):
    recording = recording_ready(cast.tenant, encoded(voice(2), "mp3", 8000))
    url = f"/v1/recordings/{recording.id}/download?format=wav"
    assert api.get(url).status_code == 202
    assert variant_make(file_id=RecordingFile.objects.get(format="wav").id)
    (heard,), _ = decoded(httpx.get(api.get(url)["Location"], trust_env=False).content)
    assert abs(agreement(heard, voice(2), 8000).lag) < 0.02


@pytest.mark.parametrize("key", ["", "a key"])
def test_parts_are_uploaded_as_the_call_runs_and_assembled_anywhere(
    bucket, settings, recorded_session, tap_for, sealed, key
):
    settings.MEDIA_KEY = key
    session = recorded_session(channels="mixed", duration=130.0)
    track(session, "customer")
    source = voice(130)
    tap = tap_for(session.id)
    feed(tap, source)
    assert syncer.flush(), "full parts are closed in another thread"
    assert shipper.parts_ship() == 2, "the third is still being written"
    assert len(local_parts(session.id)) == 1
    sealed(tap)
    end(session)
    assert not session_assemble(session_id=session.id), "a part is missing"
    assert shipper.parts_ship() == 1
    assert local_parts(session.id) == []
    make_due()
    assert session_assemble(session_id=session.id)
    recording = Recording.objects.get()
    (heard,), rate = decoded(b"".join(storage.read(recording.files.get())))
    found = agreement(heard, source, rate)
    assert abs(found.lag) < 0.001
    assert found.correlation > 0.95
    assert not Assembly.objects.get().incomplete
    deletions_run_due()
    assert [each for each in keys(bucket) if "/spool/" in each] == []


def test_a_part_of_a_lost_machine_is_added_when_it_comes_back(
    bucket, recorded_session, tap_for, sealed
):
    session = recorded_session(channels="mixed", duration=4.0)
    track(session, "customer", generation=2)
    source = voice(4)
    first, second = tap_for(session.id, generation=1), tap_for(session.id, generation=2)
    feed(first, source[:16000])
    feed(second, source[16000:], at=2.0)
    sealed(second)
    assert shipper.parts_ship() == 1, "the first machine is gone, with its part"
    end(session)
    assert not session_assemble(session_id=session.id)
    Assembly.objects.update(waiting_since=timezone.now() - assembly.GRACE * 2)
    make_due()
    assert session_assemble(session_id=session.id)
    assert Assembly.objects.get().incomplete
    assert SpoolPart.objects.exists(), "kept for when the rest comes"
    sealed(first)
    assert shipper.parts_ship() == 1
    assert session_assemble(session_id=session.id)
    recording = Recording.objects.get()
    (heard,), rate = decoded(b"".join(storage.read(recording.files.get())))
    assert agreement(heard, source, rate).correlation > 0.95
    assert not SpoolPart.objects.exists()


def test_an_upload_killed_at_any_step_loses_no_part(
    bucket, recorded_session, tap_for, sealed, monkeypatch
):
    session = recorded_session(channels="mixed", duration=2.0)
    track(session, "customer")
    tap = tap_for(session.id)
    feed(tap, voice(2))
    sealed(tap)
    for step in ("store_as_is", "read_whole"):
        with monkeypatch.context() as patch:
            patch.setattr(storage, step, lambda *args: 1 / 0)
            assert shipper.parts_ship() == 0
        assert len(local_parts(session.id)) == 1
    with monkeypatch.context() as patch:
        patch.setattr(shipper, "parts_remove", lambda *args: None)
        shipper.parts_ship()
    assert SpoolPart.objects.count() == 1
    assert len(local_parts(session.id)) == 1
    shipper.parts_ship()
    assert local_parts(session.id) == []
    assert SpoolPart.objects.count() == 1
    Deletion.objects.update(due_at=timezone.now() - datetime.timedelta(seconds=1))
    deletions_run_due()
    assert len(keys(bucket)) == 1


def test_erasing_a_session_empties_the_bucket_and_the_machine(
    bucket, recorded_session, tap_for, sealed
):
    session = recorded_session(channels="mixed", duration=2.0)
    track(session, "customer")
    tap = tap_for(session.id)
    feed(tap, voice(2))
    sealed(tap)
    shipper.parts_ship()
    late = tap_for(session.id, generation=2)
    end(session)
    session_erase(session=session)
    deletions_run_due()
    sealed(late)
    shipper.parts_ship()
    assert keys(bucket) == []
    assert local_parts(session.id) == []


def test_deleting_a_recording_removes_its_object_and_no_other(bucket, cast):
    recording, _other = recording_ready(cast.tenant), recording_ready(cast.tenant)
    assert len(keys(bucket)) == 2
    recording_delete(recording=recording)
    deletions_run_due()
    assert len(keys(bucket)) == 1
