"""Authentication with API keys: looked up by their visible prefix, checked by their hash."""

import contextlib
import datetime
import hmac

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from kallglot_site.accounts.models import ApiKey
from kallglot_site.accounts.services import api_key_hash, api_key_prefix
from kallglot_site.api.errors import ApiError
from kallglot_site.api.sqlite_timeouts import sqlite_busy_timeout

USE_NOTED_EVERY = datetime.timedelta(minutes=1)


class MissingApiKey(ApiError):
    code = "missing_api_key"


class InvalidApiKey(ApiError):
    code = "invalid_api_key"


def presented_key(request: Request) -> str:
    """The key as sent, or ''. ``Authorization: Bearer`` goes before ``X-API-Key``."""
    scheme, _, credentials = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return str(credentials.strip())
    return str(request.META.get("HTTP_X_API_KEY", "").strip())


def api_key_authenticate(secret: str) -> ApiKey:
    """The key's row with its organization, in one query.

    Raises ApiError: missing, invalid, revoked or expired key, suspended organization. The time this
    takes does not tell a caller how much of a wrong key is right, nor whether its prefix exists.
    """
    if not secret:
        raise MissingApiKey("Send your API key as `Authorization: Bearer sk_…` or in `X-API-Key`.")
    if not secret.isascii() or len(secret) > 200 or "\0" in secret:
        raise InvalidApiKey("This API key is not valid.")
    keys = ApiKey.objects.select_related("organization").filter(prefix=api_key_prefix(secret))
    key = next(iter(keys), None)  # the prefix is unique; first() would add an ORDER BY
    stored = key.secret_hash if key else "0" * 64
    if not hmac.compare_digest(stored, api_key_hash(secret)) or key is None:
        raise InvalidApiKey("This API key is not valid.")
    if key.revoked_at is not None:
        raise ApiError("This API key was revoked. Use another key.", code="revoked_api_key")
    if key.has_expired:
        raise ApiError(
            "This API key has expired. Create or roll a key in the dashboard.",
            code="expired_api_key",
        )
    if key.organization.suspended_at is not None:
        raise ApiError(
            "The organization is suspended. Ask the operator of this installation.",
            code="organization_suspended",
        )
    return key


def api_key_use_is_due(key: ApiKey) -> bool:
    """Whether ``last_used_at`` is missing or older than a minute."""
    return key.last_used_at is None or key.last_used_at < timezone.now() - USE_NOTED_EVERY


def api_key_note_use(key: ApiKey) -> None:
    """Write ``last_used_at``, unless another process has just done so or the database is busy."""
    now = timezone.now()
    due = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
    with contextlib.suppress(OperationalError), sqlite_busy_timeout(0.1):
        ApiKey.objects.filter(due, pk=key.pk).update(last_used_at=now)


class ApiKeyAuthentication(BaseAuthentication):
    """Sets ``request.auth`` to the ApiKey. The user stays None: API keys belong to no person."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        return None, api_key_authenticate(presented_key(request))

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Kallglot API"'
