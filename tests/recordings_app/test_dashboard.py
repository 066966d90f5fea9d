"""The recordings panel: what members see and hear, and what only admins may do."""

import datetime

import pytest
from django.utils import timezone

from kallglot_site.accounts.models import Environment
from recordings_app.models import Assembly, Recording, RecordingFile, RecordingPolicy
from recordings_app.selectors import retention
from tests.factories import SessionFactory, recording_ready


@pytest.fixture
def recording(cast):
    return recording_ready(
        cast.tenant, b"sound" * 5000, peaks={"agent": [1, 50], "customer": [2, 99]}
    )


@pytest.fixture
def owner(client, cast):
    client.force_login(cast.owner)
    return client


def panel(client, session):
    return client.get(f"/dashboard/sessions/{session.id}/recordings-panel")


def test_a_ready_recording_has_a_player_with_both_channels(owner, recording):
    page = panel(owner, recording.session).content.decode()
    assert f'data-url="/dashboard/recordings/{recording.id}/audio"' in page
    assert "[[1, 50], [2, 99]]" in page
    assert "every 2s" not in page


def test_while_it_is_made_the_panel_polls(owner, recording):
    Recording.objects.update(status="processing")
    page = panel(owner, recording.session).content.decode()
    assert "every 2s" in page
    assert "recording-player" not in page


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"recording_enabled": False}, "without a recording"),
        ({"recording_enabled": True, "started_at": timezone.now()}, "being recorded"),
        ({"recording_enabled": True, "recording_paused": True}, "paused"),
        ({"recording_enabled": True, "status": "ended"}, "no audio to record"),
    ],
)
def test_without_a_recording_it_says_why(owner, cast, values, said):
    session = SessionFactory.create(organization=cast.organization, **values)
    assert said in panel(owner, session).content.decode()


def test_a_recording_that_was_cut_short_can_be_played(owner, recording):
    Recording.objects.update(status="failed", failure="The disk was full.")
    page = panel(owner, recording.session).content.decode()
    assert "The disk was full." in page
    assert "recording-player" in page
    assert owner.get(f"/dashboard/recordings/{recording.id}/audio").status_code == 200


def test_a_failure_without_audio_offers_another_try_to_admins(owner, recording, client, cast):
    Recording.objects.update(status="failed", failure="Making the files failed.")
    RecordingFile.objects.all().delete()
    Assembly.objects.create(session=recording.session, status="failed")
    assert "Try again" in panel(owner, recording.session).content.decode()
    owner.post(f"/dashboard/sessions/{recording.session_id}/recordings-retry")
    assert Assembly.objects.get().status == "due"
    assert Recording.objects.get().status == "processing"


def test_the_player_reads_ranges(owner, recording):
    url = f"/dashboard/recordings/{recording.id}/audio"
    part = owner.get(url, headers={"Range": "bytes=5-9"})
    assert part.status_code == 206
    assert b"".join(part.streaming_content) == b"sound"
    assert part["Content-Disposition"].startswith("inline")
    assert "no-store" in part["Cache-Control"] or "private" in part["Cache-Control"]


def test_a_download_in_another_format_waits_until_it_is_made(owner, recording):
    url = f"/dashboard/recordings/{recording.id}/download"
    assert owner.get(url)["Content-Disposition"].startswith("attachment")
    waiting = owner.get(url, {"format": "ogg"})
    assert waiting.status_code == 202
    assert waiting["Refresh"] == "2"
    assert owner.get(url, {"format": "exe"}).status_code == 404


@pytest.mark.parametrize("who", ["outsider", "nobody", "the other environment"])
@pytest.mark.parametrize("path", ["audio", "download"])
def test_people_of_other_organizations_get_no_audio(client, cast, recording, who, path):
    if who == "outsider":
        client.force_login(cast.outsider)
    elif who != "nobody":
        client.force_login(cast.owner)
        session = client.session
        session["environment"] = Environment.TEST.value
        session.save()
    response = client.get(f"/dashboard/recordings/{recording.id}/{path}")
    assert response.status_code == (302 if who == "nobody" else 404)
    assert panel(client, recording.session).status_code == (302 if who == "nobody" else 404)


def test_an_admin_deletes_the_audio_at_once(owner, recording, django_capture_on_commit_callbacks):
    response = owner.post(f"/dashboard/sessions/{recording.session_id}/recordings-delete")
    assert response.status_code == 302
    recording.refresh_from_db()
    assert recording.status == "deleted"
    assert "transcript is kept" in panel(owner, recording.session).content.decode()


@pytest.mark.parametrize("action", ["recordings-delete", "recordings-retry"])
def test_a_reviewer_cannot_delete_the_audio(client, cast, recording, action):
    client.force_login(cast.teammate)
    response = client.post(f"/dashboard/sessions/{recording.session_id}/{action}")
    assert response.status_code == 403
    recording.refresh_from_db()
    assert recording.status == "ready"
    page = panel(client, recording.session).content.decode()
    assert "recordings-delete" not in page


def test_an_admin_sets_the_retention_also_of_existing_recordings(owner, cast, recording):
    Recording.objects.update(created_at=timezone.now() - datetime.timedelta(days=10))
    assert owner.get("/dashboard/settings/recordings").status_code == 200
    saved = owner.post("/dashboard/settings/recordings", {"retention_days": "7"})
    assert saved.status_code == 302
    assert retention(cast.organization).days == 7
    recording.refresh_from_db()
    assert recording.is_past_retention


@pytest.mark.parametrize("days", ["0", "-1", "x", "99999", ""])
def test_an_invalid_retention_is_refused(owner, days):
    refused = owner.post("/dashboard/settings/recordings", {"retention_days": days})
    assert refused.status_code == 422
    assert not RecordingPolicy.objects.exists()


def test_a_reviewer_cannot_set_the_retention(client, cast):
    client.force_login(cast.teammate)
    assert client.get("/dashboard/settings/recordings").status_code == 403
