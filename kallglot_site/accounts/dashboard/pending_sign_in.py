"""The state between the two steps of signing in: the password was correct, the code is missing.

The person is not signed in yet. The session stores for ten minutes whose password was given.
"""

import time
from typing import Final

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from kallglot_site.accounts.models import User

BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
SECONDS: Final = 600
_KEY: Final = "pending_sign_in"


def pending_sign_in_start(request: HttpRequest, user: User) -> None:
    """Store whose password was given, in a new session."""
    request.session.flush()
    request.session[_KEY] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "at": time.time(),
    }


def pending_sign_in_user(request: HttpRequest) -> User | None:
    """Who has to enter a code. None after ten minutes, a changed password or a closed account."""
    pending = request.session.get(_KEY)
    if pending is None or not 0 <= time.time() - pending["at"] <= SECONDS:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    if user is None or not constant_time_compare(pending["hash"], user.get_session_auth_hash()):
        return None
    return user


def pending_sign_in_clear(request: HttpRequest) -> None:
    request.session.pop(_KEY, None)
