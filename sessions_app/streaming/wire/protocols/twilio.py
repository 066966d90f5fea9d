"""Twilio Media Streams: JSON text frames with their type in ``event``, numbers as strings.

Twilio warns its customers of messages that it does not know (31951, and 31950 for binary ones), so
it is sent audio output only. Fields and events that are not known here are ignored.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import binascii
from typing import Final

import orjson

from sessions_app import media
from sessions_app.live_events import AudioClear, AudioOutput
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
"""The only format that Twilio sends and plays."""

SPEAKERS: Final[dict[str, Speaker]] = {"inbound": "customer", "outbound": "agent"}
"""The speaker of each track. Twilio names tracks from its own point of view."""

LONGEST_NUMBER: Final = 15
"""Digits. Every number of so many is less than 2^53."""


def is_twilio(data: str | bytes) -> bool:
    """Whether a connection's first message comes from Twilio."""
    try:
        return type(_object(data).get("event")) is str
    except ProtocolError:
        return False


class TwilioCodec:
    """See ``protocols.base.Codec``.

    Args:
        clock: gives audio its arrival time, in seconds.
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
            # It may be missing: there is one stream per connection.
            if message.get("streamSid", self._stream_sid) != self._stream_sid:
                raise _wrong("streamSid", "the streamSid of the start message")
        elif event == "media":
            raise _wrong("event", "start before the first media")
        if event == "media":
            return [self._media(message)]
        if event == "stop":
            return [StreamStop()]
        if type(event) is not str:
            raise ProtocolError("missing_required_field", "event must be a string.", "event")
        # connected, dtmf (the tones are in the audio) and mark (audio output was played).
        return []

    def _start(self, message: Json) -> StreamStart:
        if self._stream_sid is not None:
            raise _wrong("event", "start only once per connection")
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
            # Fails if the payload is missing, not a string, or not base64.
            payload = binascii.a2b_base64(audio["payload"], strict_mode=True)
        except (KeyError, TypeError, ValueError):
            payload = b""
        if not payload:
            raise _wrong("media.payload", "base64 of at least one byte")
        frame = AudioFrame(SPEAKERS[track], FORMAT, payload, sequence, timestamp_ms, self._clock())
        return AudioInput((frame,))

    # --- encoding -------------------------------------------------------------------------

    def encode(self, message: ServerMessage) -> tuple[str, ...]:
        """Audio output ends with the segment's id as a mark: Twilio returns it once played."""
        if type(message) is AudioClear:
            return (self._message("clear"),)
        if type(message) is not AudioOutput:
            return ()
        messages: list[str] = []
        if payload := _as_played(message):
            encoded = binascii.b2a_base64(payload, newline=False).decode("ascii")
            messages.append(self._message("media", {"payload": encoded}))
        if message.last and message.segment_id is not None:
            messages.append(self._message("mark", {"name": message.segment_id}))
        return tuple(messages)

    def _message(self, event: str, content: Json | None = None) -> str:
        document: Json = {"event": event, "streamSid": self._stream_sid}
        if content is not None:
            document[event] = content
        return orjson.dumps(document).decode()


def _object(data: str | bytes) -> Json:
    if not isinstance(data, str):
        raise ProtocolError("invalid_json", "Twilio messages must be text frames.")
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
    if type(value) is int:  # sent by servers that imitate Twilio
        value = str(value)
    # isdigit alone accepts the digits of every script.
    if type(value) is not str or not (value.isascii() and value.isdigit()):
        raise _wrong(f"media.{field}", "a whole number")
    if len(value) > LONGEST_NUMBER:
        raise _wrong(f"media.{field}", f"a number of at most {LONGEST_NUMBER} digits")
    return int(value)


def _as_played(output: AudioOutput) -> bytes:
    """The audio as 8 kHz mu-law without a header."""
    if output.format == FORMAT:
        return output.payload
    samples = media.decode(output.payload, output.format.encoding)
    return media.encode(
        media.resample(samples, output.format.sample_rate, FORMAT.sample_rate), FORMAT.encoding
    )


def _wrong(param: str, wanted: str) -> ProtocolError:
    return ProtocolError("invalid_field_value", f"{param} must be {wanted}.", param)
