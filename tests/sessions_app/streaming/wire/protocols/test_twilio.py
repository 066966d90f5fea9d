"""How Twilio's messages are decoded and encoded."""

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sessions_app import media
from sessions_app.live_events import AudioClear, AudioOutput
from sessions_app.media import AudioFormat, AudioFrame
from sessions_app.streaming.wire.protocols.base import (
    AudioInput,
    AudioPlayed,
    ProtocolError,
    StreamStart,
    StreamStop,
)
from sessions_app.streaming.wire.protocols.twilio import TwilioCodec
from sessions_app.streaming.wire.protocols.vendors import vendor_codec
from tests.fakes.audio import speech
from tests.fakes.twilio import CONNECTED, STREAM_SID, TwilioMessages

MULAW = AudioFormat("mulaw", 8000)


@pytest.fixture
def twilio() -> TwilioMessages:
    return TwilioMessages()


@pytest.fixture
def codec(twilio: TwilioMessages) -> TwilioCodec:
    """A codec whose stream has started."""
    codec = TwilioCodec(clock=lambda: 12.5)
    codec.decode(json.dumps(twilio.start({"token": "kst_live_x"})))
    return codec


def refused(codec: TwilioCodec, data: Any) -> tuple[str, str | None]:
    with pytest.raises(ProtocolError) as caught:
        codec.decode(data if isinstance(data, str | bytes) else json.dumps(data))
    return caught.value.code, caught.value.param


def piece(**changes: Any) -> dict[str, Any]:
    """A media message with ``changes`` in its media; None leaves a field out."""
    message = TwilioMessages().media(b"\x7f" * 160)
    fields = {**message["media"], **changes}
    message["media"] = {name: value for name, value in fields.items() if value is not None}
    return message


# --- start --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tracks", "speaker"),
    [
        (["inbound"], "customer"),
        (["outbound"], "agent"),
        (["inbound", "outbound"], "customer"),
        (["outbound", "inbound"], "customer"),
        ([], "customer"),
        (None, "customer"),
        ("outbound", "customer"),
        ([["outbound"], {}], "customer"),
    ],
)
def test_start_has_the_token_and_the_speaker_whose_audio_follows(twilio, tracks, speaker):
    start = twilio.start({"token": "kst_live_x", "note": "for us"})
    start["start"]["tracks"] = tracks
    [message] = TwilioCodec(clock=lambda: 0.0).decode(json.dumps(start))
    assert message == StreamStart("kst_live_x", speaker)
    assert "kst_live_x" not in repr(message)


@pytest.mark.parametrize("parameters", [None, {}, [], "kst_live_x", {"token": 7}, {"token": None}])
def test_a_start_without_a_token_gives_an_empty_token(twilio, parameters):
    [message] = TwilioCodec(clock=lambda: 0.0).decode(json.dumps(twilio.start(parameters)))
    assert message == StreamStart("", "customer")


def test_a_second_start_is_refused(codec, twilio):
    assert refused(codec, twilio.start({"token": "kst_live_y"})) == ("invalid_field_value", "event")


@pytest.mark.parametrize("start", [{"event": "start"}, {"event": "start", "start": {}}])
def test_a_start_without_a_stream_id_is_refused(start):
    codec = TwilioCodec(clock=lambda: 0.0)
    assert refused(codec, start)[0] == "invalid_field_value"


def test_media_before_the_start_is_refused(twilio):
    codec = TwilioCodec(clock=lambda: 0.0)
    assert codec.decode(json.dumps(CONNECTED)) == []
    assert refused(codec, twilio.media(b"\xff")) == ("invalid_field_value", "event")


# --- media --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("track", "speaker"), [("inbound", "customer"), ("outbound", "agent")])
def test_each_track_has_its_speaker(codec, twilio, track, speaker):
    twilio.media(b"\x00" * 160, track)
    [message] = codec.decode(json.dumps(twilio.media(b"\x7f" * 160, track)))
    assert message == AudioInput((AudioFrame(speaker, MULAW, b"\x7f" * 160, 2, 20, 12.5),))


def test_optional_fields_may_be_missing(codec):
    message = piece(track=None, chunk=None, timestamp=None)
    del message["streamSid"], message["sequenceNumber"]
    [heard] = codec.decode(json.dumps(message))
    assert heard == AudioInput((AudioFrame("customer", MULAW, b"\x7f" * 160, None, None, 12.5),))


def test_unknown_fields_are_ignored(codec):
    message = piece(codec="opus", timestamp=40)
    message["weather"] = {"rain": True}
    [heard] = codec.decode(json.dumps(message))
    assert heard.frames[0].timestamp_ms == 40


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"track": "both"}, "media.track"),
        ({"track": ["inbound"]}, "media.track"),
        ({"chunk": "-1"}, "media.chunk"),
        ({"chunk": "1.5"}, "media.chunk"),
        ({"chunk": ""}, "media.chunk"),
        ({"chunk": "٣"}, "media.chunk"),
        ({"chunk": "9" * 16}, "media.chunk"),
        ({"chunk": True}, "media.chunk"),
        ({"timestamp": {}}, "media.timestamp"),
        ({"timestamp": -5}, "media.timestamp"),
        ({"timestamp": 1.5}, "media.timestamp"),
        ({"timestamp": "9" * 60_000}, "media.timestamp"),
        ({"payload": None}, "media.payload"),
        ({"payload": ""}, "media.payload"),
        ({"payload": "@@@"}, "media.payload"),
        ({"payload": "AA==\n"}, "media.payload"),
        ({"payload": "é"}, "media.payload"),
        ({"payload": 7}, "media.payload"),
    ],
)
def test_malformed_audio_is_refused_with_the_wrong_field(codec, changes, param):
    message = piece(**changes)
    if changes == {"payload": None}:
        assert "payload" not in message["media"]
    assert refused(codec, message) == ("invalid_field_value", param)


def test_messages_of_another_stream_are_refused(codec):
    for message in (piece(), {"event": "stop"}):
        assert refused(codec, {**message, "streamSid": "MZ2"})[1] == "streamSid"


# --- everything else ----------------------------------------------------------------------------


def test_tones_and_unknown_events_are_ignored(codec, twilio):
    for message in (CONNECTED, twilio.dtmf("5"), {"event": "weather"}):
        assert codec.decode(json.dumps(message)) == []


def test_a_returned_mark_says_what_has_been_played(codec, twilio):
    output = AudioOutput("seg_1", "agent", 17, MULAW, b"\xff", False)
    name = encoded(codec, output)[-1]["mark"]["name"]
    assert codec.decode(json.dumps(twilio.mark(name))) == [AudioPlayed("seg_1", 17)]


@pytest.mark.parametrize(
    "mark",
    [{"name": name} for name in ("", "hold music", ":", ":3", "a:b", "seg_1:", "seg_1:-1", 7, None)]
    + [{"name": "seg_1:" + "9" * 99}, {"name": "seg_1:\u0663"}, {}, [], None, "seg_1:3"],
)
def test_other_marks_are_ignored(codec, twilio, mark):
    assert codec.decode(json.dumps(twilio.mark("") | {"mark": mark})) == []


def test_stop_ends_the_stream(codec, twilio):
    assert codec.decode(json.dumps(twilio.stop())) == [StreamStop()]


@pytest.mark.parametrize(
    ("data", "code", "param"),
    [
        ("", "invalid_json", None),
        ("[1]", "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        ('{"event": "\\ud800"}', "invalid_json", None),
        (b"\xff\xff", "invalid_json", None),
        ('{"event": 1}', "missing_required_field", "event"),
        ('{"type": "ping"}', "missing_required_field", "event"),
        ('{"event": "media"}', "invalid_field_value", "media"),
        ('{"event": "media", "media": []}', "invalid_field_value", "media"),
    ],
)
def test_malformed_messages_are_refused(codec, data, code, param):
    assert refused(codec, data) == (code, param)


def test_twilio_is_recognized_by_its_first_message(twilio):
    for message in (CONNECTED, twilio.start({})):
        codec = vendor_codec(json.dumps(message), clock=lambda: 0.0)
        assert isinstance(codec, TwilioCodec)
    for data in ("", "[]", "{}", '{"type": "ping"}', '{"event": {}}', b'{"event": "connected"}'):
        assert vendor_codec(data, clock=lambda: 0.0) is None


@pytest.mark.parametrize("speaker", ["agent", "customer"])
def test_a_parameter_says_who_is_at_the_other_end_of_a_leg(twilio, speaker):
    codec = TwilioCodec(clock=lambda: 0.0)
    start = twilio.start({"token": "kst_live_x", "speaker": speaker})
    assert codec.decode(json.dumps(start)) == [StreamStart("kst_live_x", speaker)]
    [heard] = codec.decode(json.dumps(twilio.media(b"\x7f" * 160)))
    assert [frame.speaker for frame in heard.frames] == [speaker]


def test_the_parameter_does_not_rename_the_tracks_of_a_whole_call(twilio):
    codec = TwilioCodec(clock=lambda: 0.0)
    start = twilio.start({"token": "t", "speaker": "agent"}, ("inbound", "outbound"))
    assert codec.decode(json.dumps(start)) == [StreamStart("t", "customer")]
    [heard] = codec.decode(json.dumps(twilio.media(b"\x7f" * 160)))
    assert [frame.speaker for frame in heard.frames] == ["customer"]


def test_an_unknown_speaker_is_refused(twilio):
    start = twilio.start({"token": "kst_live_x", "speaker": "boss"})
    assert refused(TwilioCodec(clock=lambda: 0.0), start) == (
        "invalid_field_value",
        "start.customParameters.speaker",
    )


# --- speech -------------------------------------------------------------------------------------


def encoded(codec: TwilioCodec, output: AudioOutput) -> list[dict[str, Any]]:
    return [json.loads(message) for message in codec.encode(output)]


def test_audio_output_is_sent_as_media_and_a_mark(codec):
    audio = {"event": "media", "streamSid": STREAM_SID, "media": {"payload": "/38="}}
    mark = {"event": "mark", "streamSid": STREAM_SID, "mark": {"name": "seg_1:3"}}
    output = AudioOutput("seg_1", "agent", 3, MULAW, b"\xff\x7f", False)
    assert encoded(codec, output) == [audio, mark]
    assert encoded(codec, replace(output, payload=b"", last=True)) == [mark]
    # The other party's own voice, before its words are known.
    assert encoded(codec, replace(output, segment_id=None)) == [audio]


def test_unwanted_speech_is_cleared(codec):
    [message] = codec.encode(AudioClear(None, "barge_in"))
    assert json.loads(message) == {"event": "clear", "streamSid": STREAM_SID}


def test_a_voice_that_is_passed_on_has_no_mark(codec):
    passed = AudioOutput(None, "agent", 0, MULAW, b"\xff\x7f", False, original=True)
    assert [message["event"] for message in encoded(codec, passed)] == ["media"]


def test_audio_output_is_converted_to_mulaw(codec):
    wide = AudioFormat("pcm_s16le", 16000)
    spoken = speech(0.5, rate=16000)
    message, _ = encoded(codec, AudioOutput("seg_1", "agent", 0, wide, spoken.tobytes(), False))
    played = base64.b64decode(message["media"]["payload"])
    assert len(played) == 4000
    difference = media.decode(played, "mulaw") - media.resample(spoken, 16000, 8000)
    assert np.abs(difference).max() < 600  # a step of mu-law at that loudness
