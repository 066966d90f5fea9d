"""Limits on connections that Daphne and uvicorn do not set themselves.

- ``send`` waits while a client does not read, so that messages do not pile up in memory;
- a client that answers no ping, or does not complete a close, is disconnected;
- frames that the application does not see (pings, fragments) are limited like messages;
- every refusal has a close code;
- slow HTTP requests, and clients that hardly read, are ended: see ``slow_clients``.
"""

from typing import Final

LARGEST_MESSAGE: Final = 256 * 1024
"""Bytes. The application closes with 4413 on messages over 64 KiB. On messages over this limit the
server closes with 1009, before it has stored them."""

CLOSE_WITHIN: Final = 5.0
"""Seconds that a client has to answer a close and to read what is still to be sent."""

TOO_FAST: Final = 4429

FRAMES_PER_SECOND: Final = 500.0
FRAMES_AT_ONCE: Final = 1000.0
"""Frames that complete no message: pings, pongs and fragments."""
