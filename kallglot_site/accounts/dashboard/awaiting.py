"""Between the two steps of signing in: the password was right, and a code is still owed.

Nobody is signed in until then, for no part of the installation: the session only remembers, for a
few minutes, who gave their password.
"""

import time
from typing import Final

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from kallglot_site.accounts.models import User

BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
SECONDS: Final = 600
_KEY: Final = "awaiting_code"


def await_code_of(request: HttpRequest, user: User) -> None:
    """Remember whose password was given, in a session that nobody knew before."""
    request.session.flush()
    request.session[_KEY] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "at": time.time(),
    }


def user_awaited(request: HttpRequest) -> User | None:
    """Who owes a code. None after some minutes, a changed password or a closed account."""
    noted = request.session.get(_KEY)
    if noted is None or not 0 <= time.time() - noted["at"] <= SECONDS:
        return None
    user = User.objects.filter(pk=noted["user"], is_active=True).first()
    if user is None or not constant_time_compare(noted["hash"], user.get_session_auth_hash()):
        return None
    return user


def forget(request: HttpRequest) -> None:
    request.session.pop(_KEY, None)
