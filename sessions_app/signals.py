"""How other apps, and the gateway of this process, take part in what happens to sessions.

``session_started``, ``session_ended``, ``transcript_completed`` and ``session_erased`` are sent
with ``session=<Session>`` inside the transaction that makes the change. Receivers only insert or
delete rows, so that a crash leaves all of the change or nothing; further work is started in
``transaction.on_commit``.
"""

from django.dispatch import Signal

session_started = Signal()
session_ended = Signal()
transcript_completed = Signal()
session_erased = Signal()

session_changed = Signal()
"""Sent with ``session_id`` after a commit, from any thread: see ``notifications``."""

session_position_wanted = Signal()
"""Sent with ``session_id``, from any thread. A receiver that has the call in its process returns
the end of its audio in seconds, else 0: the session's row lags behind by up to a heartbeat."""
