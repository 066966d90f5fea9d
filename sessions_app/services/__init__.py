"""Every write of sessions, one file for each thing that is written.

API, admin, dashboard and other apps call what is named here; the rest belongs to running calls.
"""

from sessions_app.services.sessions import (
    session_create,
    session_end,
    session_erase,
    session_facets_set,
)

__all__ = ["session_create", "session_end", "session_erase", "session_facets_set"]
