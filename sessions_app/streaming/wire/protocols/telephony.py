"""Media streams of telephony vendors: JSON text frames with their type in ``event``.

The vendors differ in the names of a few fields: see ``twilio`` and ``telnyx``. Each warns its
customers of messages that it does not know, so it is sent audio output only. Fields and events that
are not known here are ignored.
"""

import binascii
from abc import ABC, abstractmethod
from typing import ClassVar, Final

import orjson

from sessions_app import media
from sessions_app.live_events import AudioClear, AudioOutput
from sessions_app.media import AudioFormat, AudioFrame, Speaker
from sessions_app.streaming.wire.protocols.base import (
    ArrivalClock,
    AudioInput,
    AudioPlayed,
    ClientMessage,
    Json,
    ProtocolError,
    ServerMessage,
    StreamStart,
    StreamStop,
)

SPEAKERS: Final[dict[str, Speaker]] = {"inbound": "customer", "outbound": "agent"}
"""The speaker of each track. Vendors name tracks from their own point of view."""

LONGEST_NUMBER: Final = 15
"""Digits. Every number of so many is less than 2^53."""

MULAW_8000: Final = AudioFormat("mulaw", 8000)


class MediaStreamCodec(ABC):
    """See ``protocols.base.Codec``.

    Args:
        clock: gives audio its arrival time, in seconds.
    """

    tells_transcripts: Final = False
    id_field: ClassVar[str]
    """The stream's id, in ``start`` and every message after it."""
    parameters_field: ClassVar[str]
    """The customer's own parameters, in ``start``: ``token``, and ``speaker`` if there is one."""

    def __init__(self, *, clock: ArrivalClock) -> None:
        self._clock = clock
        self._stream_id: str | None = None
        self._format = MULAW_8000
        self._speakers = dict(SPEAKERS)

    # --- what a vendor has of its own ---------------------------------------------------------

    @abstractmethod
    def _encoded(self, event: str, content: Json | None) -> Json:
        """A message to the vendor."""

    def _input_format(self, start: Json) -> AudioFormat:
        """The format that ``start`` announces."""
        return MULAW_8000

    def _tracks(self, start: Json) -> list[str] | None:
        """The tracks that will come; None: not said."""
        tracks = start.get("tracks")
        return [each for each in tracks if type(each) is str] if type(tracks) is list else None

    def _in_order(self, chunk: int | None, audio: AudioInput) -> list[ClientMessage]:
        """The audio that can be used now."""
        return [audio]

    # --- decoding -----------------------------------------------------------------------------

    def decode(self, data: str | bytes) -> list[ClientMessage]:
        message = message_of(data)
        event = message.get("event")
        if event == "start":
            return [self._start(message)]
        if self._stream_id is not None:
            # It may be missing: there is one stream per connection.
            if message.get(self.id_field, self._stream_id) != self._stream_id:
                raise wrong(self.id_field, f"the {self.id_field} of the start message")
        elif event == "media":
            raise wrong("event", "start before the first media")
        if event == "media":
            return self._media(message)
        if event == "stop":
            return [StreamStop()]
        if type(event) is not str:
            raise ProtocolError("missing_required_field", "event must be a string.", "event")
        # Besides marks: connected, and dtmf (the tones are in the audio).
        return self._played(message.get("mark")) if event == "mark" else []

    def _start(self, message: Json) -> StreamStart:
        if self._stream_id is not None:
            raise wrong("event", "start only once per connection")
        start = message.get("start")
        if type(start) is not dict:
            raise wrong("start", "an object")
        stream_id = message.get(self.id_field, start.get(self.id_field))
        if type(stream_id) is not str or not stream_id:
            raise wrong(self.id_field, "a string")
        given = start.get(self.parameters_field)
        parameters: Json = given if type(given) is dict else {}
        self._format = self._input_format(start)
        self._stream_id = stream_id
        token = parameters.get("token")
        return StreamStart(
            token if type(token) is str else "", self._speaker(start, parameters.get("speaker"))
        )

    def _speaker(self, start: Json, named: object) -> Speaker:
        """Who is certain to speak. Where only ``inbound`` comes, the parameters say who it is."""
        tracks = self._tracks(start) or ["inbound"]
        if "outbound" in tracks:
            return "customer" if "inbound" in tracks else "agent"
        if named is None:
            return "customer"
        if named != "agent" and named != "customer":
            raise wrong(f"start.{self.parameters_field}.speaker", "agent or customer")
        speaker: Speaker = "agent" if named == "agent" else "customer"
        self._speakers["inbound"] = speaker
        return speaker

    def _media(self, message: Json) -> list[ClientMessage]:
        audio = message.get("media")
        if type(audio) is not dict:
            raise wrong("media", "an object")
        track = audio.get("track", "inbound")
        if type(track) is not str or track not in self._speakers:
            raise wrong("media.track", "inbound or outbound")
        chunk, timestamp_ms = _number(audio, "chunk"), _number(audio, "timestamp")
        try:
            # Fails if the payload is missing, not a string, or not base64.
            payload = binascii.a2b_base64(audio["payload"], strict_mode=True)
        except (KeyError, TypeError, ValueError):
            payload = b""
        if not payload or len(payload) % self._format.bytes_per_sample_frame:
            raise wrong("media.payload", "base64 of at least one sample")
        frame = AudioFrame(
            self._speakers[track], self._format, payload, chunk, timestamp_ms, self._clock()
        )
        return self._in_order(chunk, AudioInput((frame,)))

    def _played(self, mark: object) -> list[ClientMessage]:
        """A mark that is returned. The customer's program may have set others."""
        name = mark.get("name") if isinstance(mark, dict) else None
        segment_id, _, number = name.rpartition(":") if type(name) is str else ("", "", "")
        if not segment_id or not _is_whole_number(number) or len(number) > LONGEST_NUMBER:
            return []
        return [AudioPlayed(segment_id, int(number))]

    # --- encoding -----------------------------------------------------------------------------

    def encode(self, message: ServerMessage) -> tuple[str, ...]:
        """A segment's audio is followed by a mark, ``<segment id>:<sequence>``, which the vendor
        returns once it has been played, or dropped."""
        if type(message) is AudioClear:
            return (self._text("clear"),)
        if type(message) is not AudioOutput:
            return ()
        messages: list[str] = []
        if payload := self._as_played(message):
            encoded = binascii.b2a_base64(payload, newline=False).decode("ascii")
            messages.append(self._text("media", {"payload": encoded}))
        if message.segment_id is not None:
            name = f"{message.segment_id}:{message.sequence}"
            messages.append(self._text("mark", {"name": name}))
        return tuple(messages)

    def _text(self, event: str, content: Json | None = None) -> str:
        return orjson.dumps(self._encoded(event, content)).decode()

    def _as_played(self, output: AudioOutput) -> bytes:
        """The audio in the stream's format, without a header."""
        if output.format == self._format:
            return output.payload
        samples = media.decode(output.payload, output.format.encoding)
        return media.encode(
            media.resample(samples, output.format.sample_rate, self._format.sample_rate),
            self._format.encoding,
        )


def message_of(data: str | bytes) -> Json:
    """A vendor's message. Raises ``ProtocolError``."""
    if not isinstance(data, str):
        raise ProtocolError("invalid_json", "Messages of a media stream must be text frames.")
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ProtocolError("invalid_json", f"The frame is not JSON: {error.msg}.") from None
    if type(message) is not dict:
        raise ProtocolError("invalid_json", "The frame must be a JSON object.")
    return message


def wrong(param: str, wanted: str) -> ProtocolError:
    return ProtocolError("invalid_field_value", f"{param} must be {wanted}.", param)


def _is_whole_number(text: str) -> bool:
    return text.isascii() and text.isdigit()  # isdigit alone accepts the digits of every script


def _number(audio: Json, field: str) -> int | None:
    value = audio.get(field)
    if value is None:
        return None
    if type(value) is int:  # sent by servers that imitate a vendor
        value = str(value)
    if type(value) is not str or not _is_whole_number(value):
        raise wrong(f"media.{field}", "a whole number")
    if len(value) > LONGEST_NUMBER:
        raise wrong(f"media.{field}", f"a number of at most {LONGEST_NUMBER} digits")
    return int(value)
