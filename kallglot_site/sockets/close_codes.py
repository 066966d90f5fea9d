"""Every close code of this installation's WebSockets, and what the client should do.

Codes of RFC 6455 come first. Those from 4400 are our own, numbered after the similar HTTP status.
``docs/streaming.md`` explains them to clients of calls.
"""

from typing import Final

NORMAL: Final = 1000
"""The session or page is finished."""

GOING_AWAY: Final = 1001
"""The server is stopping: connect again, to reach another one."""

SERVER_FAULT: Final = 1011
"""The server failed: connect again."""

TRY_AGAIN_LATER: Final = 1013
"""The server has as many connections as it accepts: try again later."""

PROTOCOL_VIOLATION: Final = 4400
"""Too many invalid messages, or an invalid first message."""

NOT_AUTHENTICATED: Final = 4401
"""The token is missing, wrong or expired, or the dashboard's user is signed out."""

NOT_ALLOWED: Final = 4403
"""The dashboard's user is not allowed to do this."""

NO_SUCH_OBJECT: Final = 4404
"""This client has no such session."""

SILENT: Final = 4408
"""Nothing was received in time."""

SESSION_ENDED: Final = 4409
"""The session has ended."""

REPLACED: Final = 4410
"""A newer connection replaced this one for the same speaker: do not connect again."""

TOO_LARGE: Final = 4413
"""A message is larger than 64 KiB."""

TOO_FAST: Final = 4429
"""Too many messages, or more audio than the server can handle."""
