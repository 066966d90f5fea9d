"""WebSockets below the application: what servers leave open, closed.

Both servers hand over whole messages and take whole messages, and promise little about clients
that read nothing, answer nothing, or send frames that no message comes of. Here they do:

- a client that is sent more than it reads makes ``send`` wait, so that the application can tell;
- who gives no sign of life, or keeps the server from closing, is let go of;
- frames that the application never sees (pings, fragments) are counted as messages are;
- what is refused is refused with a close code.
"""

from typing import Final

LARGEST_MESSAGE: Final = 256 * 1024
"""Bytes. The application refuses from 64 KiB on with a code of its own (4413); beyond this the
server does (1009), before anything is kept."""

CLOSE_WITHIN: Final = 5.0
"""Seconds in which a client may answer a close, and take what is still waiting for it."""

TOO_FAST: Final = 4429

FRAMES_PER_SECOND: Final = 500.0
FRAMES_AT_ONCE: Final = 1000.0
"""Frames that no message comes of."""
