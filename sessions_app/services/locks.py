"""The row lock that gives the writes of one session, and its events, one order."""

from sessions_app.models import Session


def session_lock(session_id: str) -> Session | None:
    """The session with its row locked until the transaction ends; None: it was erased.

    The lock leaves foreign keys alone (FOR NO KEY UPDATE): inserting segments is not held up.
    """
    return (
        Session.objects.select_for_update(no_key=True, of=("self",))
        .select_related("organization")
        .filter(id=session_id)
        .first()
    )
