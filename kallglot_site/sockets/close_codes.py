"""Every code that this installation closes a WebSocket with, and what the client does then.

Those of RFC 6455 first; 4400 and up are our own, numbered after the HTTP status that they
resemble. ``docs/streaming.md`` says the same to clients of calls.
"""

from typing import Final

NORMAL: Final = 1000
"""All was said."""

GOING_AWAY: Final = 1001
"""This server stops: connect again, to another one."""

SERVER_FAULT: Final = 1011
"""The server failed: connect again."""

TRY_AGAIN_LATER: Final = 1013
"""The server is at its capacity."""

PROTOCOL_VIOLATION: Final = 4400
"""What the client sends makes no sense, many times in a row or from the start."""

NOT_AUTHENTICATED: Final = 4401
"""The token is missing, wrong or expired; a member of staff is signed out."""

NOT_ALLOWED: Final = 4403
"""A member of staff lacks the right."""

NO_SUCH_OBJECT: Final = 4404
"""There is no such session, for this client."""

SILENT: Final = 4408
"""Nothing was received in time."""

SESSION_ENDED: Final = 4409
"""The session has ended."""

REPLACED: Final = 4410
"""A newer connection speaks for this speaker: do not connect again."""

TOO_LARGE: Final = 4413
"""A message is larger than 64 KiB."""

TOO_FAST: Final = 4429
"""Too many messages, or more audio than the server can take."""
