"""The row lock that puts all writes and events of one session in order."""

from sessions_app.models import Session


def session_lock(session_id: str) -> Session | None:
    """The session with its row locked until the transaction ends; None: it was erased.

    The lock (FOR NO KEY UPDATE) does not block rows that refer to the session, such as segments.
    """
    return (
        Session.objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization")
        .filter(id=session_id)
        .first()
    )
