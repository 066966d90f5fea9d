"""How Telnyx' messages are decoded and encoded: what differs from Twilio's."""

import itertools
import json
import random
from operator import itemgetter

import pytest

from sessions_app.live_events import AudioClear, AudioOutput
from sessions_app.media import AudioFormat
from sessions_app.streaming.wire.protocols.base import (
    AudioPlayed,
    ProtocolError,
    StreamStart,
    StreamStop,
)
from sessions_app.streaming.wire.protocols.telnyx import HELD_BACK, TelnyxCodec
from sessions_app.streaming.wire.protocols.vendors import vendor_codec
from tests.fakes.telnyx import CONNECTED, TelnyxMessages

MULAW = AudioFormat("mulaw", 8000)


@pytest.fixture
def telnyx():
    return TelnyxMessages()


@pytest.fixture
def codec(telnyx):
    """A codec whose stream has started."""
    codec = TelnyxCodec(clock=lambda: 12.5)
    codec.decode(json.dumps(telnyx.start({"token": "kst_live_x"})))
    return codec


def pieces(telnyx, count, track="inbound"):
    return [telnyx.media(bytes([number]) * 160, track) for number in range(count)]


def decoded(codec, messages):
    """The first byte of each frame, in the order in which it can be used."""
    audio = itertools.chain.from_iterable(codec.decode(json.dumps(each)) for each in messages)
    return [frame.payload[0] for each in audio for frame in each.frames]


def test_telnyx_is_recognized_by_its_first_message(telnyx):
    for message in (CONNECTED, telnyx.start({})):
        codec = vendor_codec(json.dumps(message), clock=lambda: 0.0)
        assert isinstance(codec, TelnyxCodec)


@pytest.mark.parametrize("speaker", ["agent", "customer"])
def test_a_parameter_says_who_is_at_the_other_end(telnyx, speaker):
    codec = TelnyxCodec(clock=lambda: 0.0)
    start = telnyx.start({"token": "kst_live_x", "speaker": speaker})
    assert codec.decode(json.dumps(start)) == [StreamStart("kst_live_x", speaker)]
    [heard] = codec.decode(json.dumps(telnyx.media(b"\x7f" * 160)))
    assert [frame.speaker for frame in heard.frames] == [speaker]


@pytest.mark.parametrize(
    ("encoding", "rate", "expected"),
    [
        ("PCMU", 8000, MULAW),
        ("audio/x-mulaw", 8000, MULAW),
        ("PCMA", 8000, AudioFormat("alaw", 8000)),
        ("PCMU", 16000, AudioFormat("mulaw", 16000)),
    ],
)
def test_audio_has_the_format_that_start_announces_both_ways(telnyx, encoding, rate, expected):
    codec = TelnyxCodec(clock=lambda: 0.0)
    codec.decode(json.dumps(telnyx.start({"token": "t"}, encoding, rate)))
    [heard] = codec.decode(json.dumps(telnyx.media(b"\x7f" * 160)))
    assert heard.frames[0].format == expected
    spoken = AudioOutput("seg_1", "agent", 0, expected, b"\x01\x02", False)
    message = json.loads(codec.encode(spoken)[0])
    assert message == {"event": "media", "media": {"payload": "AQI="}}


@pytest.mark.parametrize("encoding", ["OPUS", "L16", 7, None])
def test_other_formats_are_refused_with_what_is_allowed(telnyx, encoding):
    with pytest.raises(ProtocolError, match="PCMU") as caught:
        TelnyxCodec(clock=lambda: 0.0).decode(json.dumps(telnyx.start({}, encoding)))
    assert caught.value.param == "start.media_format.encoding"


def test_messages_that_come_in_another_order_are_put_in_order(codec, telnyx):
    messages = pieces(telnyx, 12)
    first, rest = messages[0], messages[1:]
    for seed in range(20):
        delays = random.Random(seed)
        places = [number + delays.uniform(0, 3) for number in range(len(rest))]
        shuffled = [each for _, each in sorted(zip(places, rest, strict=True), key=itemgetter(0))]
        fresh = TelnyxCodec(clock=lambda: 0.0)
        fresh.decode(json.dumps(telnyx.start({"token": "t"})))
        assert decoded(fresh, [first, *shuffled]) == list(range(12))


def test_nothing_is_lost_when_the_first_messages_come_in_another_order(codec, telnyx):
    first, second, third, fourth = pieces(telnyx, 4)
    assert decoded(codec, [third, first]) == [0]
    assert decoded(codec, [second, fourth]) == [1, 2, 3]


def test_a_stream_whose_first_message_is_lost_begins_a_moment_later(codec, telnyx):
    messages = pieces(telnyx, 2 + HELD_BACK)[1:]
    assert decoded(codec, messages[:-1]) == []
    assert decoded(codec, messages[-1:]) == list(range(1, 2 + HELD_BACK))


def test_each_track_has_an_order_of_its_own(codec, telnyx):
    inbound, outbound = pieces(telnyx, 3), pieces(telnyx, 3, "outbound")
    mixed = [inbound[0], outbound[0], outbound[2], inbound[2], inbound[1], outbound[1]]
    assert sorted(decoded(codec, mixed)) == [0, 0, 1, 1, 2, 2]


def test_a_message_that_never_comes_holds_the_others_up_only_for_a_moment(codec, telnyx):
    messages = pieces(telnyx, 3 + HELD_BACK)
    without = [messages[0], *messages[2:]]
    assert decoded(codec, without[:-1]) == [0]
    assert decoded(codec, without[-1:]) == list(range(2, 3 + HELD_BACK))
    assert decoded(codec, [messages[1]]) == []  # too late


def test_a_repeated_message_is_used_once(codec, telnyx):
    messages = pieces(telnyx, 2)
    assert decoded(codec, [messages[0], messages[0], messages[1]]) == [0, 1]


def test_what_is_sent_back_names_no_stream(codec):
    said = AudioOutput("seg_1", "agent", 7, MULAW, b"\xff\x7f", True)
    assert [json.loads(each) for each in codec.encode(said)] == [
        {"event": "media", "media": {"payload": "/38="}},
        {"event": "mark", "mark": {"name": "seg_1:7"}},
    ]
    assert [json.loads(each) for each in codec.encode(AudioClear(None, "ended"))] == [
        {"event": "clear"}
    ]


def test_the_other_events_are_known(codec, telnyx):
    for message in (CONNECTED, telnyx.mark("music"), {"event": "error", "payload": {"code": 1}}):
        assert codec.decode(json.dumps(message)) == []
    assert codec.decode(json.dumps(telnyx.mark("seg_1:7"))) == [AudioPlayed("seg_1", 7)]
    assert codec.decode(json.dumps(telnyx.stop())) == [StreamStop()]
