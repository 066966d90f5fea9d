"""A TCP proxy to a service that can hang: it accepts connections then, and forwards nothing."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Proxy:
    """Forwards to ``host:port`` from ``port`` of 127.0.0.1, except inside ``hung``."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._answers = threading.Event()
        self._answers.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """The service accepts, and does not answer. Afterwards it answers what it was asked."""
        self._answers.clear()
        try:
            yield
        finally:
            self._answers.set()

    @property
    def is_hung(self) -> bool:
        return not self._answers.is_set()

    def close(self) -> None:
        self._answers.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._answers.wait()
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(self._target) as service,
        ):
            backwards = threading.Thread(target=self._forward, args=(service, client), daemon=True)
            backwards.start()
            self._forward(client, service)
            backwards.join()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._answers.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
