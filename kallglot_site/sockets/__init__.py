"""Connections below the application: limits that Daphne and uvicorn do not set themselves.

- ``send`` waits while a client does not read, so that the application notices;
- a client that answers no ping, or does not complete a close, is disconnected;
- frames that the application never sees (pings, fragments) are limited like messages;
- every refusal has a close code;
- slow HTTP requests and unread answers are cut: see ``slow_clients``.
"""

from typing import Final

LARGEST_MESSAGE: Final = 256 * 1024
"""Bytes. The application refuses from 64 KiB on with a code of its own (4413); beyond this the
server does (1009), before anything is kept."""

CLOSE_WITHIN: Final = 5.0
"""Seconds that a client has to answer a close and to read what is still to be sent."""

TOO_FAST: Final = 4429

FRAMES_PER_SECOND: Final = 500.0
FRAMES_AT_ONCE: Final = 1000.0
"""Frames that complete no message: pings, pongs and fragments."""
