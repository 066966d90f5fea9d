"""Closing a connection to a client that does not read."""

import socket
import struct
from asyncio import BaseTransport, Transport

_DISCARD_UNSENT = struct.pack("ii", 1, 0)
"""Linger for 0 seconds. Otherwise the system keeps unread data until the client reads it."""


def close_unread(transport: BaseTransport) -> None:
    """Close at once and discard what the client has not read."""
    assert isinstance(transport, Transport)
    raw: socket.socket = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD_UNSENT)
    transport.abort()
