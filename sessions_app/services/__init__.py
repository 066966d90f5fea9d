"""Every write of sessions, one file per kind of row.

API, admin, dashboard and other apps call the functions exported here; running calls use the rest.
"""

from sessions_app.services.sessions import (
    session_create,
    session_end,
    session_erase,
    session_facets_set,
)

__all__ = ["session_create", "session_end", "session_erase", "session_facets_set"]
