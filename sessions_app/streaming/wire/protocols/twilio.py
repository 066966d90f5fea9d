"""Twilio Media Streams: JSON text frames, their type in ``event``, numbers as strings.

Twilio warns its customers about everything it does not know (31951, 31950 for binary frames), so
it is told nothing but speech. What it adds to its own messages one day is passed over.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import binascii
from typing import Final

import orjson

from sessions_app import media
from sessions_app.live_events import AudioOutput
from sessions_app.media import AudioFormat, AudioFrame, Speaker
from sessions_app.streaming.wire.protocols.base import (
    ArrivalClock,
    AudioInput,
    ClientMessage,
    Json,
    ProtocolError,
    ServerMessage,
    StreamStart,
    StreamStop,
)

FORMAT: Final = AudioFormat("mulaw", 8000)
"""What Twilio sends and plays, always."""

SPEAKERS: Final[dict[str, Speaker]] = {"inbound": "customer", "outbound": "agent"}
"""Who is heard on a track, as seen from Twilio."""

LONGEST_NUMBER: Final = 15
"""Digits; whatever has no more fits into 2^53 - 1."""


def is_twilio(data: str | bytes) -> bool:
    """Whether a connection's first message is Twilio's."""
    try:
        return type(_object(data).get("event")) is str
    except ProtocolError:
        return False


class TwilioCodec:
    """See ``protocols.base.Codec``.

    Args:
        clock: stamps arriving audio, in seconds.
    """

    tells_transcripts: Final = False

    def __init__(self, *, clock: ArrivalClock) -> None:
        self._clock = clock
        self._stream_sid: str | None = None

    # --- decoding -------------------------------------------------------------------------

    def decode(self, data: str | bytes) -> list[ClientMessage]:
        message = _object(data)
        event = message.get("event")
        if event == "start":
            return [self._start(message)]
        if self._stream_sid is not None:
            # Left out is forgiven: there is one stream on a connection.
            if message.get("streamSid", self._stream_sid) != self._stream_sid:
                raise _wrong("streamSid", "the one that start named")
        elif event == "media":
            raise _wrong("event", "start before the first media")
        if event == "media":
            return [self._media(message)]
        if event == "stop":
            return [StreamStop()]
        if type(event) is not str:
            raise ProtocolError("missing_required_field", "event must be a string.", "event")
        # connected; dtmf, which the audio holds as tones; mark, which tells that speech was heard.
        return []

    def _start(self, message: Json) -> StreamStart:
        if self._stream_sid is not None:
            raise _wrong("event", "start only once")
        start = message.get("start")
        if type(start) is not dict:
            raise _wrong("start", "an object")
        sid = message.get("streamSid", start.get("streamSid"))
        if type(sid) is not str or not sid:
            raise _wrong("streamSid", "a string")
        parameters = start.get("customParameters")
        token = parameters.get("token") if type(parameters) is dict else None
        tracks = start.get("tracks")
        only_agent = type(tracks) is list and "outbound" in tracks and "inbound" not in tracks
        self._stream_sid = sid
        return StreamStart(
            token if type(token) is str else "", "agent" if only_agent else "customer"
        )

    def _media(self, message: Json) -> AudioInput:
        audio = message.get("media")
        if type(audio) is not dict:
            raise _wrong("media", "an object")
        track = audio.get("track", "inbound")
        if type(track) is not str or track not in SPEAKERS:
            raise _wrong("media.track", "inbound or outbound")
        sequence, timestamp_ms = _number(audio, "chunk"), _number(audio, "timestamp")
        try:
            # Neither a string nor base64, or nothing.
            payload = binascii.a2b_base64(audio["payload"], strict_mode=True)
        except (KeyError, TypeError, ValueError):
            payload = b""
        if not payload:
            raise _wrong("media.payload", "base64 of one byte at least")
        frame = AudioFrame(SPEAKERS[track], FORMAT, payload, sequence, timestamp_ms, self._clock())
        return AudioInput((frame,))

    # --- encoding -------------------------------------------------------------------------

    def encode(self, message: ServerMessage) -> tuple[str, ...]:
        """Speech is played in order; Twilio returns the mark, the segment's id, once it was."""
        if type(message) is not AudioOutput:
            return ()
        said: list[str] = []
        if payload := _as_played(message):
            encoded = binascii.b2a_base64(payload, newline=False).decode("ascii")
            said.append(self._message("media", {"payload": encoded}))
        if message.last:
            said.append(self._message("mark", {"name": message.segment_id}))
        return tuple(said)

    def _message(self, event: str, content: Json) -> str:
        document = {"event": event, "streamSid": self._stream_sid, event: content}
        return orjson.dumps(document).decode()


def _object(data: str | bytes) -> Json:
    if not isinstance(data, str):
        raise ProtocolError("invalid_json", "Twilio's messages are text.")
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ProtocolError("invalid_json", f"The frame is not JSON: {error.msg}.") from None
    if type(message) is not dict:
        raise ProtocolError("invalid_json", "The frame must be a JSON object.")
    return message


def _number(audio: Json, field: str) -> int | None:
    value = audio.get(field)
    if value is None:
        return None
    if type(value) is int:  # as copies of Twilio send it
        value = str(value)
    # isdigit alone would let in the digits of every script.
    if type(value) is not str or not (value.isascii() and value.isdigit()):
        raise _wrong(f"media.{field}", "a whole number")
    if len(value) > LONGEST_NUMBER:
        raise _wrong(f"media.{field}", f"of {LONGEST_NUMBER} digits at most")
    return int(value)


def _as_played(output: AudioOutput) -> bytes:
    """The speech as headerless 8 kHz mu-law."""
    if output.format == FORMAT:
        return output.payload
    samples = media.decode(output.payload, output.format.encoding)
    return media.encode(
        media.resample(samples, output.format.sample_rate, FORMAT.sample_rate), FORMAT.encoding
    )


def _wrong(param: str, wanted: str) -> ProtocolError:
    return ProtocolError("invalid_field_value", f"{param} must be {wanted}.", param)
