"""WebSockets under uvicorn, with the limits that ``kallglot_site.sockets`` lists.

uvicorn gets it as ``ws=WebSocket``.
"""

from asyncio.transports import BaseTransport

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from kallglot_site import sockets
from kallglot_site.sockets.closing import close_unread
from kallglot_site.sockets.slow_clients import ReadRate, UnreadWatch
from kallglot_site.sockets.token_bucket import TokenBucket

_INVALID_TEXT = 1007


class WebSocket(WebSocketsSansIOProtocol):
    """One connection."""

    close_timeout: float

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.close_timeout = sockets.CLOSE_WITHIN
        self._frames = TokenBucket(
            sockets.FRAMES_PER_SECOND, sockets.FRAMES_AT_ONCE, self.loop.time
        )
        self._received_at = 0.0
        self._failed = False
        rate = ReadRate(transport.get_extra_info("socket"), self.transport.get_write_buffer_size)
        self._watch = UnreadWatch(rate, self._hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.stop()
        super().connection_lost(exc)

    # --- in ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        # Data of a refused client is read and dropped: closing with unread data resets the
        # connection, and the client would not see the close code.
        if not self._failed:
            self._received_at = self.loop.time()
            super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            # uvicorn would log an error with a traceback, so any client could cause alerts.
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(_INVALID_TEXT)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        closed = self.conn.close_sent
        assert closed is not None
        self._failed = True
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason}
        )
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self._hang_up)

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()  # the pong, which would pile up behind unread data
        self._count_frame()

    def handle_pong(self, event: Frame) -> None:
        super().handle_pong(event)
        self._count_frame()

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        self._count_frame()

    def _count_frame(self) -> None:
        if not self._frames.take() and not self.close_sent:
            self.conn.send_close(sockets.TOO_FAST)
            self.handle_parser_exception()

    # --- the end ----------------------------------------------------------------------------

    def keepalive_timeout(self) -> None:
        if self.read_paused or self._received_at > self.ping_sent_at:
            # The client is alive: its pong may be behind data that we have not read.
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
            return
        super().keepalive_timeout()
        self._hang_up()

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            # The transport closes after writing everything, so never if the client does not read.
            if not self.disconnected:
                self.loop.call_later(self.close_timeout, self._hang_up)

    def _hang_up(self) -> None:
        if not self.disconnected:
            close_unread(self.transport)
