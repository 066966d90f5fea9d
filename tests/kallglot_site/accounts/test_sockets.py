"""Dashboard WebSockets: what is logged when their work fails."""

import pytest
from uvicorn.protocols.utils import ClientDisconnected

from kallglot_site.accounts.dashboard.sockets import StaffSocket
from kallglot_site.accounts.models import User


class FailingSocket(StaffSocket):
    """Its work raises ``error``. Stores the close code."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.closed_with: int | None = None

    async def admit(self, user: User) -> int | None:
        return None

    async def serve(self) -> int:
        raise self.error

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        self.closed_with = code


async def test_a_browser_that_leaves_during_a_message_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await FailingSocket(ClientDisconnected())._serve_and_close()
    assert caplog.records == []


async def test_a_failure_is_logged_and_tells_the_page_to_connect_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    socket = FailingSocket(RuntimeError("a bug"))
    await socket._serve_and_close()
    assert [record.getMessage() for record in caplog.records] == ["A dashboard WebSocket failed"]
    assert socket.closed_with == 1011
