"""What every telephony vendor does with the audio that it is sent."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

from sessions_app.models import Session
from tests.fakes.sockets import StreamClient

RATE = 8000


class MediaStreamPlayer(StreamClient):
    """Plays 8-bit audio ``late`` seconds after it has come, and returns each mark once what came
    before it has been played. ``clear`` empties the buffer and returns its marks at once.

    ``mark`` makes the message that returns one.
    """

    def __init__(self, session: Session, mark: Callable[[str], dict[str, Any]]) -> None:
        super().__init__(session, token="")
        self._mark = mark
        self.late = self.sent_seconds = 0.0
        self._until = 0.0
        self._cleared_at: float | None = None
        self._marks: dict[str, asyncio.TimerHandle] = {}

    @property
    def played_seconds(self) -> float:
        """At the pace of the event loop's clock; of speech that came without a gap."""
        now = asyncio.get_running_loop().time() if self._cleared_at is None else self._cleared_at
        return self.sent_seconds - max(0.0, self._until - now)

    async def _take(self, event: dict[str, Any]) -> None:
        await super()._take(event)
        if event["type"] == "websocket.send":
            self._play(json.loads(event["text"]))

    def _play(self, message: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        match message.get("event"):  # none: it was not recognized as a vendor
            case "media":
                seconds = len(base64.b64decode(message["media"]["payload"])) / RATE
                self.sent_seconds += seconds
                self._until = max(self._until, loop.time() + self.late) + seconds
            case "mark":
                name = message["mark"]["name"]
                self._marks[name] = loop.call_at(self._until, self._return, name)
            case "clear":
                self._cleared_at = loop.time()
                for name, waiting in list(self._marks.items()):
                    waiting.cancel()
                    self._return(name)

    def _return(self, name: str) -> None:
        del self._marks[name]
        self.send(**self._mark(name))

    async def hang_up(self) -> None:
        for waiting in self._marks.values():
            waiting.cancel()
        await super().hang_up()
