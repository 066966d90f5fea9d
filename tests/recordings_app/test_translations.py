"""Recordings of the speech that was made for each party of a translated call."""

from dataclasses import replace

import pytest

from recordings_app.assembly import session_assemble
from recordings_app.models import Recording
from recordings_app.services import recording_delete, session_recordings_create
from recordings_app.spool.durability import syncer
from recordings_app.spool.gathering import _is_complete
from recordings_app.spool.parts import PartName
from recordings_app.spool.writer import PartWriter
from sessions_app.models import Track
from tests.recordings_app.audio import agreement, decoded, feed, voice
from tests.recordings_app.calls import AGENT, content, end
from webhooks_app.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

SPOKEN = voice(2, seed=9)
SEGMENT = "seg_01KD3M8Q2Z6V4T9X5R7W1Y0ABC"
ALL = {"mixed", "agent", "customer", "agent_translation", "customer_translation"}


class OfSegment:
    """Names the segment in each frame, as the gateway does."""

    def __init__(self, tap):
        self.tap = tap

    def write(self, frame):
        self.tap.write(replace(frame, segment_id=SEGMENT))

    def close(self):
        self.tap.close()


@pytest.fixture
def translated(recorded_session, tap_for, sealed):
    """The agent spoke from 0 to 6 s; the customer heard 2 s of translation from 3 s on."""

    def make(channels="dual"):
        mode = "bidirectional_translation"
        session = recorded_session(channels=channels, duration=8.0, mode=mode)
        taps = [tap_for(session.id, "agent"), tap_for(session.id, "customer")]
        feed(taps[0], AGENT, speaker="agent")
        if channels == "dual":
            taps += [tap_for(session.id, each, made_speech=True) for each in ("agent", "customer")]
            feed(OfSegment(taps[3]), SPOKEN, at=3.0, speaker="agent")
        sealed(*taps)
        return session

    return make


def recording(session, channel):
    return Recording.objects.get(session=session, channel=channel)


def test_a_translation_is_where_it_was_heard_and_silent_elsewhere(translated):
    session = translated()
    end(session)
    assert session_assemble(session_id=session.id)
    made = {each.channel: each for each in Recording.objects.filter(session=session)}
    assert set(made) == ALL
    assert {each.status for each in made.values()} == {"ready"}
    assert {each.duration for each in made.values()} == {8.0}
    (heard,), rate = decoded(content(made["agent_translation"]))
    found = agreement(heard[3 * rate : 5 * rate], SPOKEN, rate)
    assert abs(found.lag) < 0.001
    assert found.correlation > 0.95
    assert not heard[: 3 * rate].any()
    assert not heard[5 * rate :].any()
    assert made["agent_translation"].spoken == {SEGMENT: [3.0, 5.0]}
    assert set(made["agent_translation"].peaks) == {"agent_translation"}
    (silent,), _ = decoded(content(made["customer_translation"]))
    assert len(silent) == len(heard)
    assert not silent.any()


def test_each_recording_of_a_translated_call_is_announced_once(translated):
    session = translated()
    end(session)
    session_assemble(session_id=session.id)
    events = Event.objects.filter(type="recording.ready", session_id=session.id)
    assert sorted(event.data["channel"] for event in events) == sorted(ALL)


def test_a_mixed_recording_has_no_translations(translated):
    session = translated("mixed")
    end(session)
    session_assemble(session_id=session.id)
    assert [each.channel for each in Recording.objects.all()] == ["mixed"]


def test_a_translation_that_could_not_be_written_fails_alone(translated):
    session = translated()
    writer = PartWriter(session.id, PartName("agent_translation", 1, 2), syncer)
    writer.fail()
    writer.close()
    assert syncer.flush()
    end(session)
    session_assemble(session_id=session.id)
    assert recording(session, "agent_translation").status == "failed"
    others = Recording.objects.exclude(channel="agent_translation")
    assert {each.status for each in others} == {"ready"}


def test_a_deleted_translation_says_no_more_what_was_spoken_when(translated):
    session = translated()
    end(session)
    session_assemble(session_id=session.id)
    recording_delete(recording=recording(session, "agent_translation"))
    deleted = recording(session, "agent_translation")
    assert (deleted.status, deleted.spoken, deleted.peaks) == ("deleted", {}, {})


def test_uploaded_parts_are_complete_only_with_those_of_the_translations(recorded_session):
    session = recorded_session(mode="bidirectional_translation")
    Track.objects.create(session=session, speaker="customer", generation=1)

    def row(channel):
        part = str(PartName(channel, 1, 1))
        return session.spool_parts.create(part=part, name=part, size=1, sha256="", is_last=True)

    own = row("customer")
    assert _is_complete(session, [own])  # recorded by a server that knows of no translations
    session.started_at = session.created_at
    session_recordings_create(session=session)
    assert not _is_complete(session, [own])
    assert _is_complete(session, [own, row("agent_translation")])


def test_the_page_offers_the_translation_of_a_call_that_has_one(translated, client, cast):
    client.force_login(cast.owner)
    session = translated()
    end(session)
    session_assemble(session_id=session.id)
    address = f"/dashboard/sessions/{session.id}/recordings-panel"
    page = client.get(address).content.decode()
    assert "Translated" in page
    assert f"/dashboard/recordings/{recording(session, 'agent_translation').id}/audio" in page
    assert SEGMENT in page
    Recording.objects.update(spoken={})
    assert ">Translated<" not in client.get(address).content.decode()
