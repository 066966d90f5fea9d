"""What other apps may hear of. Sent *inside* the transaction of the change.

Receivers only insert or delete rows, so that a crash leaves all or nothing; whatever must be done
afterwards is rung in ``transaction.on_commit``. Each is sent with ``session=<Session>``.
"""

from django.dispatch import Signal

session_started = Signal()
session_ended = Signal()
transcript_completed = Signal()
session_erased = Signal()
