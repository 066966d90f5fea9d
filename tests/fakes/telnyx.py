"""Messages of a Telnyx media stream, as in Telnyx' documentation."""

import base64
from typing import Any

from sessions_app.media import Samples, encode
from sessions_app.models import Session
from sessions_app.streaming.wire.tokens import stream_token_issue
from tests.fakes.media_streams import MediaStreamPlayer

STREAM_ID = "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"
CONNECTED: dict[str, Any] = {"event": "connected", "version": "1.0.0"}


class TelnyxMessages:
    """Of one stream, numbered in order."""

    def __init__(self) -> None:
        self._sequence = 0
        self._heard: dict[str, int] = {}  # samples per track

    def start(
        self, parameters: dict[str, Any], encoding: str = "PCMU", rate: int = 8000
    ) -> dict[str, Any]:
        return self._message(
            "start",
            {
                "user_id": "3e6f995f-85f7-4705-9741-53b116d28237",
                "call_control_id": "v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ",
                "call_session_id": "ff55a038-6f5d-11ef-9692-02420aeffb1f",
                "from": "+13122010094",
                "to": "+13122123456",
                "custom_parameters": parameters,
                "media_format": {"encoding": encoding, "sample_rate": rate, "channels": 1},
            },
        )

    def media(self, payload: bytes, track: str = "inbound") -> dict[str, Any]:
        """The track's next audio."""
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

    def mark(self, name: str) -> dict[str, Any]:
        return self._message("mark", {"name": name})

    def stop(self) -> dict[str, Any]:
        return self._message("stop", {"call_control_id": "v2:T02llQxIyaRkhfRKxgAP8nY511"})

    def _message(self, event: str, content: dict[str, Any]) -> dict[str, Any]:
        self._sequence += 1
        return {
            "event": event,
            "sequence_number": str(self._sequence),
            event: content,
            "stream_id": STREAM_ID,
        }


class TelnyxClient(MediaStreamPlayer):
    """Telnyx as a client of the session's stream, in process."""

    def __init__(self, session: Session) -> None:
        self.messages = TelnyxMessages()
        super().__init__(session, self.messages.mark)

    def start(self, **parameters: Any) -> None:
        """Start the stream with a new token."""
        token, _ = stream_token_issue(self.session, None)
        self.send(**CONNECTED)
        self.send(**self.messages.start({"token": token, **parameters}))

    def send_audio(self, samples: Samples, *, speaker: str | None = None, step: int = 160) -> None:
        track = "outbound" if speaker == "agent" else "inbound"
        for begin in range(0, len(samples), step):
            payload = encode(samples[begin : begin + step], "mulaw")
            self.send(**self.messages.media(payload, track))

    async def stop(self) -> int:
        """End the stream. Returns the server's close code."""
        self.send(**self.messages.stop())
        return await self.closed()
