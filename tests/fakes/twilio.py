"""Messages of a Twilio Media Stream, as in Twilio's documentation."""

import base64
from typing import Any

from sessions_app.media import Samples, encode
from sessions_app.models import Session
from sessions_app.streaming.wire.tokens import stream_token_issue
from tests.fakes.media_streams import MediaStreamPlayer

STREAM_SID = "MZ18ad3ab5a668481ce02b83e7395059f0"
CALL = {"accountSid": "AC0123456789", "callSid": "CA0123456789"}
CONNECTED: dict[str, Any] = {"event": "connected", "protocol": "Call", "version": "1.0.0"}


class TwilioMessages:
    """Of one stream, numbered in order."""

    def __init__(self) -> None:
        self._sequence = 0
        self._heard: dict[str, int] = {}  # samples per track

    def start(
        self, parameters: dict[str, Any], tracks: tuple[str, ...] = ("inbound",)
    ) -> dict[str, Any]:
        return self._message(
            "start",
            {
                "streamSid": STREAM_SID,
                **CALL,
                "tracks": list(tracks),
                "customParameters": parameters,
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            },
        )

    def media(self, payload: bytes, track: str = "inbound") -> dict[str, Any]:
        """The track's next mu-law audio."""
        before = self._heard.get(track, 0)
        self._heard[track] = before + len(payload)
        return self._message(
            "media",
            {
                "track": track,
                "chunk": str(before // len(payload) + 1),
                "timestamp": str(before // 8),
                "payload": base64.b64encode(payload).decode(),
            },
        )

    def dtmf(self, digit: str) -> dict[str, Any]:
        return self._message("dtmf", {"track": "inbound_track", "digit": digit})

    def mark(self, name: str) -> dict[str, Any]:
        return self._message("mark", {"name": name})

    def stop(self) -> dict[str, Any]:
        return self._message("stop", CALL)

    def _message(self, event: str, content: dict[str, Any]) -> dict[str, Any]:
        self._sequence += 1
        return {
            "event": event,
            "sequenceNumber": str(self._sequence),
            event: content,
            "streamSid": STREAM_SID,
        }


class TwilioClient(MediaStreamPlayer):
    """Twilio as a client of the session's stream, in process."""

    def __init__(self, session: Session) -> None:
        self.messages = TwilioMessages()
        super().__init__(session, self.messages.mark)

    def start(
        self, token: Any = None, tracks: tuple[str, ...] = ("inbound",), **parameters: Any
    ) -> None:
        """Start the stream, with a new token if none is given."""
        if token is None:
            token, _ = stream_token_issue(self.session, None)
        self.send(**CONNECTED)
        self.send(**self.messages.start({"token": token, **parameters}, tracks))

    def send_audio(self, samples: Samples, *, speaker: str | None = None, step: int = 160) -> None:
        track = "outbound" if speaker == "agent" else "inbound"
        for begin in range(0, len(samples), step):
            payload = encode(samples[begin : begin + step], "mulaw")
            self.send(**self.messages.media(payload, track))

    async def stop(self) -> int:
        """End the stream. Returns the server's close code."""
        self.send(**self.messages.stop())
        return await self.closed()
