"""Telnyx media streams. Messages may come in another order than they were sent, and are put in
order by ``media.chunk``. What is sent back names no stream.

Source: https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming
"""

from typing import ClassVar, Final

from sessions_app.media import AudioFormat, Encoding
from sessions_app.streaming.wire.protocols.base import (
    ArrivalClock,
    AudioInput,
    ClientMessage,
    Json,
    StreamStop,
)
from sessions_app.streaming.wire.protocols.telephony import MediaStreamCodec, wrong

ENCODINGS: Final[dict[str, Encoding]] = {
    "PCMU": "mulaw",
    "audio/x-mulaw": "mulaw",
    "PCMA": "alaw",
    "audio/x-alaw": "alaw",
}

HELD_BACK: Final = 5
"""Messages of a track that wait for one that is missing; it is given up when more come."""

FIRST_CHUNK: Final = 1
"""Telnyx numbers a track's messages from here."""


class TelnyxCodec(MediaStreamCodec):
    """The format is the one that ``start`` announces, for both directions."""

    id_field: ClassVar = "stream_id"
    parameters_field: ClassVar = "custom_parameters"

    def __init__(self, *, clock: ArrivalClock) -> None:
        super().__init__(clock=clock)
        self._next: dict[str, int] = {}
        self._held: dict[str, dict[int, AudioInput]] = {}

    def _input_format(self, start: Json) -> AudioFormat:
        described = start.get("media_format", {})
        if type(described) is not dict:
            raise wrong("start.media_format", "an object")
        encoding = described.get("encoding", "PCMU")
        if type(encoding) is not str or encoding not in ENCODINGS:
            raise wrong("start.media_format.encoding", f"one of {', '.join(ENCODINGS)}")
        rate = described.get("sample_rate", 8000)
        if described.get("channels", 1) != 1:
            raise wrong("start.media_format.channels", "1")
        try:
            return AudioFormat(ENCODINGS[encoding], int(rate))
        except (TypeError, ValueError):
            raise wrong("start.media_format.sample_rate", "from 8000 to 48000") from None

    def _in_order(self, chunk: int | None, audio: AudioInput) -> list[ClientMessage]:
        if chunk is None:
            return [audio]
        speaker = audio.frames[0].speaker
        held = self._held.setdefault(speaker, {})
        # The first to come need not be the first of the stream.
        began = FIRST_CHUNK if FIRST_CHUNK < chunk <= FIRST_CHUNK + HELD_BACK else chunk
        expected = self._next.setdefault(speaker, began)
        if chunk < expected:
            return []  # a repeat, or so late that what follows has been used
        held[chunk] = audio
        ready: list[ClientMessage] = []
        if len(held) > HELD_BACK:
            expected = min(held)
        while expected in held:
            ready.append(held.pop(expected))
            expected += 1
        self._next[speaker] = expected
        return ready

    def decode(self, data: str | bytes) -> list[ClientMessage]:
        messages = super().decode(data)
        if any(isinstance(each, StreamStop) for each in messages):
            # What still waited for a message that is missing.
            held = [each[chunk] for each in self._held.values() for chunk in sorted(each)]
            self._held.clear()
            return [*held, *messages]
        return messages

    def _encoded(self, event: str, content: Json | None) -> Json:
        return {"event": event} if content is None else {"event": event, event: content}
