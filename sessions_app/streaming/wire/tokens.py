"""Stream tokens: signed values that allow connecting to one session for a few minutes.

They are not stored, so the database cannot leak them. What may have changed since one was issued
(the session, the organization, the API key) is read in one query when a client connects.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.db.models import Exists, Q
from django.utils import timezone

from kallglot_site.accounts.models import ApiKey
from kallglot_site.api.ids import is_id
from kallglot_site.sockets import close_codes
from sessions_app.models import Session

PREFIX: Final = "kst"
SPEAKERS: Final = ("agent", "customer", "none")

_signer = signing.Signer(salt="kallglot.stream-token", sep=".")


@dataclass(frozen=True, slots=True)
class StreamGrant:
    """What a valid token allows. ``session`` is as it was when the client connected."""

    session: Session
    speakers: tuple[str, ...]


class StreamTokenRefused(Exception):
    """``close_code`` closes the connection; ``code`` and ``message`` give the reason."""

    def __init__(self, close_code: int, code: str, message: str) -> None:
        super().__init__(message)
        self.close_code = close_code
        self.code = code
        self.message = message


def stream_token_issue(
    session: Session,
    api_key_id: str | None,
    environment: str | None = None,
    speakers: Sequence[str] | None = None,
) -> tuple[str, datetime.datetime]:
    """A new token for ``session``, and when it expires.

    Args:
        api_key_id: the key it is issued to. Revoking the key revokes the token. None: it is issued
            to the installation itself.
        environment: None: the session's own.
        speakers: the speakers that a connection may name; None: all.
    """
    environment = environment or session.environment
    expires_at = timezone.now() + datetime.timedelta(seconds=settings.STREAM_TOKEN_TTL)
    claims = {
        "s": session.id,
        "o": session.organization_id,
        "e": environment,
        "k": api_key_id,
        "w": list(speakers) if speakers is not None else None,
        "x": expires_at.timestamp(),
    }
    return f"{PREFIX}_{environment}_{_signer.sign_object(claims)}", expires_at


def stream_token_verify(token: str, session_id: str) -> StreamGrant:
    """What ``token`` allows in the session of the address. One query.

    A session of another tenant is refused like one that does not exist.

    Raises:
        StreamTokenRefused
    """
    claims = _claims(token)
    now = timezone.now()
    issuer = ApiKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now), id=claims["k"] or "", revoked_at=None
    )
    session = (
        Session.objects.select_related("organization")
        .annotate(issuer_valid=Exists(issuer))
        .filter(id=session_id, organization_id=claims["o"], environment=claims["e"])
        .first()
        if is_id(session_id, "sess")
        else None
    )
    if session is None:
        raise StreamTokenRefused(
            close_codes.NO_SUCH_OBJECT, "resource_not_found", "There is no such session."
        )
    if session.id != claims["s"]:
        raise _wrong("The token belongs to another session.")
    if session.organization.suspended_at is not None:
        raise StreamTokenRefused(
            close_codes.NOT_AUTHENTICATED,
            "organization_suspended",
            "The organization is suspended.",
        )
    if claims["k"] and not session.issuer_valid:
        raise _wrong("The API key that issued this token is no longer valid.")
    if session.is_ended:
        raise StreamTokenRefused(
            close_codes.SESSION_ENDED, "session_ended", "The session has ended."
        )
    return StreamGrant(session, tuple(claims["w"]) if claims["w"] is not None else SPEAKERS)


def _claims(token: str) -> dict[str, Any]:
    scheme, _, rest = token.partition("_")
    environment, _, signed = rest.partition("_")
    if scheme != PREFIX or not signed or len(token) > 2048:
        raise _wrong("This is not a stream token.")
    try:
        claims: dict[str, Any] = _signer.unsign_object(signed)
    except (signing.BadSignature, ValueError):
        raise _wrong("The stream token is not valid.") from None
    if claims["e"] != environment:
        raise _wrong("The stream token is not valid.")
    if claims["x"] <= timezone.now().timestamp():
        raise StreamTokenRefused(
            close_codes.NOT_AUTHENTICATED,
            "expired_token",
            "The stream token has expired: retrieve the session for a new one.",
        )
    return claims


def _wrong(message: str) -> StreamTokenRefused:
    return StreamTokenRefused(close_codes.NOT_AUTHENTICATED, "invalid_token", message)
