"""A WebSocket of a dashboard page, in process."""

from typing import Any

from channels.testing import WebsocketCommunicator

from tests.fakes.sockets import TIMEOUT


class PageSocket(WebsocketCommunicator):
    """Waits ``TIMEOUT`` seconds, like the other clients of these tests. Channels' own gives up and
    ends the application after one second, which a busy machine may need for a query."""

    async def receive_output(self, timeout: float = TIMEOUT) -> dict[str, Any]:  # noqa: ASYNC109 - overridden
        return await super().receive_output(max(timeout, TIMEOUT))

    async def wait(self, timeout: float = TIMEOUT) -> None:  # noqa: ASYNC109 - overridden
        await super().wait(max(timeout, TIMEOUT))
