"""What holds for the codec of every protocol."""

import contextlib
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import live_events as events
from sessions_app.media import AudioFormat
from sessions_app.streaming.wire.protocols import base
from sessions_app.streaming.wire.protocols.base import ClientMessage, Codec, ProtocolError
from sessions_app.streaming.wire.protocols.kallglot import MESSAGE_TYPES, KallglotCodec
from sessions_app.streaming.wire.protocols.telnyx import TelnyxCodec
from sessions_app.streaming.wire.protocols.twilio import TwilioCodec
from tests.fakes.telnyx import STREAM_ID, TelnyxMessages
from tests.fakes.twilio import STREAM_SID, TwilioMessages


def kallglot() -> Codec:
    return KallglotCodec(session_id="sess_1", speaker="customer", clock=lambda: 0.0)


def twilio() -> Codec:
    return TwilioCodec(clock=lambda: 0.0)


def started_twilio() -> Codec:
    codec = TwilioCodec(clock=lambda: 0.0)
    codec.decode(json.dumps(TwilioMessages().start({"token": "kst_live_x"})))
    return codec


def telnyx() -> Codec:
    return TelnyxCodec(clock=lambda: 0.0)


def started_telnyx() -> Codec:
    codec = TelnyxCodec(clock=lambda: 0.0)
    codec.decode(json.dumps(TelnyxMessages().start({"token": "kst_live_x"})))
    return codec


every_codec = pytest.mark.parametrize(
    "make", [kallglot, twilio, started_twilio, telnyx, started_telnyx]
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
payloads = st.sampled_from(["", "AAAA", "AA==", "AAAAAA=="]) | json_values


def nearly(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with some of ``fields``, each with a valid or any other value."""
    return st.fixed_dictionaries({}, optional={n: f | json_values for n, f in fields.items()})


kallglot_messages = nearly(
    type=st.sampled_from(MESSAGE_TYPES),
    sequence=json_values,
    segment_id=json_values,
    timestamp_ms=json_values,
    speaker=st.sampled_from(["agent", "none"]),
    action=json_values,
    reason=json_values,
    audio=nearly(
        encoding=st.sampled_from(["mulaw", "pcm_s16le"]),
        sample_rate_hz=st.sampled_from([8000, 48000]),
        channels=st.sampled_from([1, 2]),
        payload=payloads,
    ),
)
marks = nearly(name=st.sampled_from(["seg_1", "seg_1:3", ":"]))
twilio_messages = nearly(
    event=st.sampled_from(["connected", "start", "media", "dtmf", "mark", "stop"]),
    streamSid=st.just(STREAM_SID),
    mark=marks,
    start=nearly(
        streamSid=st.just(STREAM_SID),
        customParameters=nearly(token=st.text(max_size=8)),
        tracks=st.lists(st.sampled_from(["inbound", "outbound"])),
    ),
    media=nearly(
        track=st.sampled_from(["inbound", "outbound"]),
        chunk=st.sampled_from(["1", "007"]),
        timestamp=st.sampled_from(["0", "20"]),
        payload=payloads,
    ),
)

telnyx_messages = nearly(
    event=st.sampled_from(["connected", "start", "media", "dtmf", "mark", "error", "stop"]),
    stream_id=st.just(STREAM_ID),
    mark=marks,
    start=nearly(
        custom_parameters=nearly(token=st.text(max_size=8), speaker=st.just("agent")),
        media_format=nearly(
            encoding=st.sampled_from(["PCMU", "PCMA"]), sample_rate=st.sampled_from([8000, 16000])
        ),
    ),
    media=nearly(
        track=st.sampled_from(["inbound", "outbound"]),
        chunk=st.sampled_from(["1", "2", "007"]),
        timestamp=st.sampled_from(["0", "20"]),
        payload=payloads,
    ),
)


@every_codec
@given(
    data=kallglot_messages.map(json.dumps)
    | twilio_messages.map(json.dumps)
    | telnyx_messages.map(json.dumps)
    | st.text()
    | st.binary()
)
def test_any_message_is_decoded_or_refused_with_a_protocol_error(make, data):
    with contextlib.suppress(ProtocolError):
        for message in make().decode(data):
            assert isinstance(message, get_args(ClientMessage))


MESSAGES: list[base.ServerMessage] = [
    base.SessionReady("transcription", None, "en", "agent", False, 7, True),
    events.SessionPaused(),
    events.SessionResumed(),
    base.SessionError("invalid_json", "Not JSON."),
    events.SessionEnded("completed", 12.25),
    base.TranscriptionPaused("agent"),
    base.TranscriptionResumed("agent"),
    base.Pong(17),
    events.AudioOutput("seg_1", "agent", 4, AudioFormat("mulaw", 8000), b"\xff\xff", True),
    events.SpeechStarted("agent", 1.5),
    events.SpeechStopped("agent", 2.5),
    events.PartialTranscript("seg_1", "customer", None, "Hel", 1.0),
    events.FinalTranscript("seg_1", "customer", "en", "Hello.", 1.0, 2.0, 0.9),
    events.AudioClear("seg_1", "barge_in"),
    events.TranslationPartial("seg_1", "agent", "es", "Ho"),
    events.TranslationFinal("seg_1", "agent", "es", "Hola."),
    events.TranslationFailed("seg_1", "agent", "translation_unavailable"),
    events.StreamWarning("sequence_gap", "3 missing", "agent"),
]


def test_every_server_message_is_tested_here():
    assert {type(message) for message in MESSAGES} == set(get_args(base.ServerMessage))


@every_codec
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_server_message_can_be_encoded(make, message):
    encoded = make().encode(message)
    assert isinstance(encoded, tuple)
    assert all(isinstance(each, str | bytes) for each in encoded)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
@pytest.mark.parametrize("make", [started_twilio, started_telnyx])
def test_vendors_are_sent_audio_output_only(make, message):
    said = [json.loads(each) for each in make().encode(message)]
    wanted = {events.AudioOutput: ["media", "mark"], events.AudioClear: ["clear"]}
    assert [each["event"] for each in said] == wanted.get(type(message), [])
    stream = {"streamSid": STREAM_SID} if make is started_twilio else {}
    assert all({**each, **stream} == each and len(each) <= 2 + len(stream) for each in said)
