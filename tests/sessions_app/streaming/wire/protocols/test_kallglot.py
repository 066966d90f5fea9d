import base64
import json
from typing import Any

import pytest

from sessions_app import live_events as events
from sessions_app.media import AudioFormat
from sessions_app.streaming.wire.protocols import base
from sessions_app.streaming.wire.protocols.base import (
    AudioPlayed,
    AudioStart,
    Control,
    EndSession,
    Ping,
    ProtocolError,
)
from sessions_app.streaming.wire.protocols.kallglot import CONTROL_ACTIONS, KallglotCodec


@pytest.fixture
def codec():
    return KallglotCodec(
        session_id="sess_1",
        speaker="customer",
        clock=lambda: 12.5,
        errors_url="https://x/errors",
    )


def audio_input(payload=b"\x7f" * 160, **changes):
    message: dict[str, Any] = {
        "type": "audio.input",
        "sequence": 3,
        "timestamp_ms": 60,
        "audio": {
            "encoding": "mulaw",
            "sample_rate_hz": 8000,
            "channels": 1,
            "payload": base64.b64encode(payload).decode(),
        },
    }
    audio = changes.pop("audio", {})
    message.update(changes)
    if isinstance(audio, dict):
        message["audio"].update(audio)
    else:
        message["audio"] = audio
    return message


def decode(codec, message):
    return codec.decode(json.dumps(message))


def refused(codec, data):
    with pytest.raises(ProtocolError) as caught:
        codec.decode(data if isinstance(data, str | bytes) else json.dumps(data))
    return caught.value.code, caught.value.param


class TestAudio:
    def test_a_mono_frame_belongs_to_the_connections_speaker(self, codec):
        [message] = decode(codec, audio_input())
        [frame] = message.frames
        assert frame.speaker == "customer"
        assert frame.format == AudioFormat("mulaw", 8000)
        assert frame.payload == b"\x7f" * 160
        assert (frame.sequence, frame.timestamp_ms, frame.arrived) == (3, 60, 12.5)

    def test_a_frame_may_name_its_speaker(self, codec):
        [message] = decode(codec, audio_input(speaker="agent"))
        assert message.frames[0].speaker == "agent"

    def test_sequence_and_timestamp_may_be_left_out(self, codec):
        [message] = decode(codec, audio_input(sequence=None, timestamp_ms=None))
        assert message.frames[0].sequence is None
        assert message.frames[0].timestamp_ms is None

    def test_stereo_is_the_agent_on_the_left_and_the_customer_on_the_right(self, codec):
        stereo = {"encoding": "pcm_s16le", "sample_rate_hz": 16000, "channels": 2}
        [message] = decode(codec, audio_input(payload=b"LlRr" * 10, audio=stereo))
        agent, customer = message.frames
        assert (agent.speaker, agent.payload) == ("agent", b"Ll" * 10)
        assert (customer.speaker, customer.payload) == ("customer", b"Rr" * 10)
        assert agent.format == AudioFormat("pcm_s16le", 16000, 1)

    def test_binary_frames_have_the_format_of_audio_start(self, codec):
        audio = {"encoding": "pcm_s16le", "sample_rate_hz": 16000, "channels": 1}
        start = {"type": "audio.start", "audio": audio, "speaker": "agent"}
        assert decode(codec, start) == [AudioStart(AudioFormat("pcm_s16le", 16000), "agent")]
        [message] = codec.decode(b"\x01\x02" * 50)
        [frame] = message.frames
        assert (frame.speaker, frame.payload) == ("agent", b"\x01\x02" * 50)
        assert frame.sequence is None

    def test_a_later_audio_start_replaces_the_earlier(self, codec):
        for rate in (8000, 16000):
            audio = {"encoding": "mulaw", "sample_rate_hz": rate, "channels": 1}
            decode(codec, {"type": "audio.start", "audio": audio})
        [message] = codec.decode(b"\x01")
        assert message.frames[0].format.sample_rate == 16000


class TestOtherMessages:
    @pytest.mark.parametrize("action", CONTROL_ACTIONS)
    def test_every_control_action(self, codec, action):
        assert decode(codec, {"type": "session.control", "action": action}) == [Control(action)]

    @pytest.mark.parametrize("timestamp", [0, 17, 12.75, None])
    def test_ping(self, codec, timestamp):
        assert decode(codec, {"type": "ping", "timestamp_ms": timestamp}) == [Ping(timestamp)]

    @pytest.mark.parametrize("segment_id", ["seg_1", None])
    def test_what_has_been_played(self, codec, segment_id):
        played = {"type": "audio.played", "segment_id": segment_id, "sequence": 4}
        assert decode(codec, played) == [AudioPlayed(segment_id, 4)]

    def test_end_with_and_without_a_reason(self, codec):
        assert decode(codec, {"type": "session.end"}) == [EndSession(None)]
        end = {"type": "session.end", "reason": "customer_hangup"}
        assert decode(codec, end) == [EndSession("customer_hangup")]


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"audio": {"payload": "@@@"}}, "invalid_field_value", "audio.payload"),
        ({"audio": {"payload": "AAA"}}, "invalid_field_value", "audio.payload"),
        ({"audio": {"payload": "AA==\n"}}, "invalid_field_value", "audio.payload"),
        ({"audio": {"payload": "é"}}, "invalid_field_value", "audio.payload"),
        ({"audio": {"payload": ""}}, "invalid_field_value", "audio.payload"),
        ({"audio": {"payload": 7}}, "invalid_field_value", "audio.payload"),
        ({"audio": {"payload": None}}, "missing_required_field", "audio.payload"),
        (
            {"audio": {"encoding": "pcm_s16le", "payload": "AAAA"}},
            "invalid_field_value",
            "audio.payload",
        ),
        ({"audio": {"encoding": "opus"}}, "invalid_field_value", "audio.encoding"),
        ({"audio": {"encoding": ["mulaw"]}}, "invalid_field_value", "audio.encoding"),
        ({"audio": {"encoding": None}}, "missing_required_field", "audio.encoding"),
        ({"audio": {"sample_rate_hz": 7999}}, "invalid_field_value", "audio.sample_rate_hz"),
        ({"audio": {"sample_rate_hz": 10**40}}, "invalid_field_value", "audio.sample_rate_hz"),
        ({"audio": {"sample_rate_hz": 8000.0}}, "invalid_field_value", "audio.sample_rate_hz"),
        ({"audio": {"sample_rate_hz": None}}, "missing_required_field", "audio.sample_rate_hz"),
        ({"audio": {"channels": 3}}, "invalid_field_value", "audio.channels"),
        ({"audio": {"channels": True}}, "invalid_field_value", "audio.channels"),
        ({"audio": "AAAA"}, "invalid_field_value", "audio"),
        ({"audio": None}, "missing_required_field", "audio"),
        ({"sequence": -1}, "invalid_field_value", "sequence"),
        ({"sequence": 2**53}, "invalid_field_value", "sequence"),
        ({"sequence": 10**400}, "invalid_json", None),
        ({"sequence": "1"}, "invalid_field_value", "sequence"),
        ({"sequence": True}, "invalid_field_value", "sequence"),
        ({"timestamp_ms": 1.5}, "invalid_field_value", "timestamp_ms"),
        ({"timestamp_ms": -5}, "invalid_field_value", "timestamp_ms"),
        ({"timestamp_ms": float("nan")}, "invalid_json", None),
        ({"speaker": "caller"}, "invalid_field_value", "speaker"),
        ({"speaker": {}}, "invalid_field_value", "speaker"),
        ({"type": "audio.inptu"}, "invalid_field_value", "type"),
        ({"type": None}, "missing_required_field", "type"),
        ({"type": 5}, "invalid_field_value", "type"),
    ],
)
def test_malformed_audio_is_refused_with_the_wrong_field(codec, changes, code, param):
    assert refused(codec, audio_input(**changes)) == (code, param)


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        ("", "invalid_json", None),
        ("hello", "invalid_json", None),
        ("[1, 2]", "invalid_json", None),
        ('"ping"', "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        ('{"a":' * 30_000, "invalid_json", None),
        ('{"type": "\\ud800"}', "invalid_json", None),
        ('{"type": "\ud800"}', "invalid_json", None),
        ("{}", "missing_required_field", "type"),
        ('{"type": "session.control"}', "missing_required_field", "action"),
        ('{"type": "session.control", "action": "explode"}', "invalid_field_value", "action"),
        ('{"type": "session.end", "reason": "bored"}', "invalid_field_value", "reason"),
        ('{"type": "ping", "timestamp_ms": "now"}', "invalid_field_value", "timestamp_ms"),
        ('{"type": "ping", "timestamp_ms": true}', "invalid_field_value", "timestamp_ms"),
        ('{"type": "audio.played", "sequence": 4}', "missing_required_field", "segment_id"),
        ('{"type": "audio.played", "segment_id": "seg_1"}', "missing_required_field", "sequence"),
        (
            '{"type": "audio.played", "segment_id": 1, "sequence": 4}',
            "invalid_field_value",
            "segment_id",
        ),
        (
            '{"type": "audio.played", "segment_id": "seg_1", "sequence": "4"}',
            "invalid_field_value",
            "sequence",
        ),
        (b"\x01\x02", "missing_required_field", "audio"),
    ],
)
def test_malformed_messages_are_refused(codec, data, code, param):
    assert refused(codec, data) == (code, param)


def test_binary_frames_must_have_whole_samples(codec):
    audio = {"encoding": "pcm_s16le", "sample_rate_hz": 16000, "channels": 2}
    decode(codec, {"type": "audio.start", "audio": audio})
    assert refused(codec, b"\x01\x02") == ("invalid_field_value", "audio")
    assert refused(codec, b"") == ("invalid_field_value", "audio")


def test_a_refused_audio_start_leaves_the_earlier_one_in_force(codec):
    audio = {"encoding": "mulaw", "sample_rate_hz": 8000, "channels": 1}
    decode(codec, {"type": "audio.start", "audio": audio})
    refused(codec, {"type": "audio.start", "audio": {**audio, "encoding": "mp3"}})
    assert codec.decode(b"\x01")[0].frames[0].format.encoding == "mulaw"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            base.SessionReady("transcription", None, "en", "agent", False, 7, True),
            {
                "type": "session.ready",
                "mode": "transcription",
                "source_language": None,
                "target_language": "en",
                "speaker": "agent",
                "encodings": ["mulaw", "alaw", "pcm_s16le"],
                "resumed": False,
                "sequence": 7,
                "recording_paused": True,
                "muted": False,
                "transcription_paused": False,
            },
        ),
        (
            events.SpeechStarted("agent", 1.5),
            {"type": "speech.started", "speaker": "agent", "at": 1.5},
        ),
        (
            events.SpeechStopped("agent", 2.5),
            {"type": "speech.stopped", "speaker": "agent", "at": 2.5},
        ),
        (
            events.PartialTranscript("seg_1", "customer", None, "Hel", 1.0),
            {
                "type": "transcript.partial",
                "id": "seg_1",
                "speaker": "customer",
                "language": None,
                "text": "Hel",
                "start_time": 1.0,
            },
        ),
        (
            events.FinalTranscript("seg_1", "customer", "en", "Hello.", 1.0, 2.0, 0.9, 4),
            {
                "type": "transcript.final",
                "id": "seg_1",
                "speaker": "customer",
                "language": "en",
                "text": "Hello.",
                "translation": None,
                "start_time": 1.0,
                "end_time": 2.0,
                "confidence": 0.9,
                "sequence": 4,
            },
        ),
        (
            events.TranslationFinal("seg_1", "agent", "es", "Hola."),
            {
                "type": "translation.final",
                "segment_id": "seg_1",
                "speaker": "agent",
                "language": "es",
                "text": "Hola.",
            },
        ),
        (
            events.AudioOutput("seg_1", "agent", 4, AudioFormat("mulaw", 8000), b"\xff\xff", True),
            {
                "type": "audio.output",
                "segment_id": "seg_1",
                "speaker": "agent",
                "sequence": 4,
                "audio": {
                    "encoding": "mulaw",
                    "sample_rate_hz": 8000,
                    "channels": 1,
                    "payload": "//8=",
                },
                "last": True,
                "original": False,
            },
        ),
        (
            events.AudioClear(None, "barge_in"),
            {"type": "audio.clear", "segment_id": None, "reason": "barge_in"},
        ),
        (
            events.TranslationPartial("seg_1", "agent", "es", "Ho"),
            {
                "type": "translation.partial",
                "segment_id": "seg_1",
                "speaker": "agent",
                "language": "es",
                "text": "Ho",
            },
        ),
        (
            events.TranslationFailed("seg_1", "agent", "translation_unavailable"),
            {
                "type": "translation.failed",
                "segment_id": "seg_1",
                "speaker": "agent",
                "code": "translation_unavailable",
            },
        ),
        (
            events.StreamWarning("sequence_gap", "3 missing", "agent"),
            {
                "type": "session.warning",
                "code": "sequence_gap",
                "message": "3 missing",
                "speaker": "agent",
            },
        ),
        (
            base.SessionError("invalid_json", "Not JSON."),
            {
                "type": "session.error",
                "error": {
                    "type": "validation_error",
                    "code": "invalid_json",
                    "message": "Not JSON.",
                    "param": None,
                    "doc_url": "https://x/errors#invalid_json",
                    "request_id": None,
                },
            },
        ),
        (events.SessionPaused(), {"type": "session.paused"}),
        (events.SessionResumed(), {"type": "session.resumed"}),
        (
            base.TranscriptionPaused("agent"),
            {"type": "transcription.paused", "speaker": "agent"},
        ),
        (
            base.TranscriptionResumed("agent"),
            {"type": "transcription.resumed", "speaker": "agent"},
        ),
        (base.Pong(17), {"type": "pong", "timestamp_ms": 17}),
        (
            events.SessionEnded("completed", 12.249999999999977),
            {"type": "session.ended", "reason": "completed", "duration": 12.25},
        ),
    ],
)
def test_every_server_message_is_encoded(codec, message, expected):
    [encoded] = codec.encode(message)
    assert json.loads(encoded) == {**expected, "session_id": "sess_1"}
