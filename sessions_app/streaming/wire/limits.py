"""Limits on what one connection may send."""

from typing import Any, Final

LARGEST_MESSAGE: Final = 64 * 1024
"""Bytes of one WebSocket message."""

MESSAGES_PER_SECOND: Final = 500.0
MESSAGES_AT_ONCE: Final = 1000.0
"""A stereo call in 10 ms frames is 200 messages a second; the rest is for catching up after a
stall and for files sent faster than real time."""

BYTES_PER_TOKEN: Final = 8192

PINGS_PER_SECOND: Final = 10.0
PINGS_AT_ONCE: Final = 50.0

SHORTEST_AUDIO_FRAME: Final = 0.01
"""Seconds. A client that sends too many frames at least this long is slowed down, not refused."""

MALFORMED_IN_A_ROW: Final = 20
MALFORMED_COST: Final = 10.0

FIRST_MESSAGE_WITHIN: Final = 2.0
"""Seconds for the first message of a client without a token in its URL."""

AUTHENTICATE_WITHIN: Final = 5.0
"""Seconds for a token that comes in a message, not in the URL."""

MESSAGES_BEFORE_TOKEN: Final = 20

WAITING_MESSAGES: Final = 1000
WAITING_BYTES: Final = 16 * 1024 * 1024
"""Limits on unread messages in a server that reads from its clients without limit."""

OUTBOX_MESSAGES: Final = 512
OUTBOX_BYTES: Final = 2 * 1024 * 1024
"""Limits on messages that wait for a client that does not read."""


def unread_messages(receive: Any) -> int:
    """Messages that the server has read and the application has not. 0 if the server stops
    reading instead.

    Daphne reads without limit into a queue whose ``get`` is our ``receive``. ASGI does not tell how
    full it is, so this looks at the queue itself.
    """
    queue = getattr(receive, "__self__", None)
    size = getattr(queue, "qsize", None)
    return int(size()) if callable(size) else 0
