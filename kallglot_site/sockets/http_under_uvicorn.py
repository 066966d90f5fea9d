"""HTTP under uvicorn, with time limits for slow clients. Given to it as ``http=Http``."""

from asyncio import Transport
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from kallglot_site.sockets.closing import close_unread
from kallglot_site.sockets.slow_clients import HttpWatch, ReadRate

_REQUEST_INCOMPLETE = (h11.IDLE, h11.SEND_BODY)


class Http(H11Protocol):
    """One connection."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        rate = ReadRate(raw, transport.get_write_buffer_size)
        self._watch = HttpWatch(rate, lambda: close_unread(transport))

    def data_received(self, data: bytes) -> None:
        self._watch.data()
        super().data_received(data)
        if self.conn.their_state not in _REQUEST_INCOMPLETE:
            self._watch.request_complete()

    def on_response_complete(self) -> None:
        self._watch.request_awaited()
        super().on_response_complete()

    def timeout_keep_alive_handler(self) -> None:
        if not self.transport.is_closing() and self._watch.unread():
            # Closed now, the rest of the answer would wait in the system without any limit.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._watch.stop()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.stop()
        super().connection_lost(exc)
