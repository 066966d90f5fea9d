"""Which server and which API key a call uses when no option names them."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from kallglot_site.accounts.models import ApiKey, Environment, Organization
from kallglot_site.accounts.services import api_key_create, api_key_revoke
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.caller.errors import CallFailed
from kallglot_site.running import running_url

DEFAULT_URL = "http://127.0.0.1:8000"
_KEY_NAME = "manage.py call"


def server_url(given: str | None) -> str:
    """The given server, else the one that runs on this data directory, else DEFAULT_URL."""
    return given or running_url() or DEFAULT_URL


@contextmanager
def api_key(given: str | None, url: str) -> Iterator[str]:
    """The key from the option or from KALLGLOT_API_KEY; else a new one, deleted after the call.

    A key is made only for the server that runs on this data directory, and only if it has exactly
    one organization. Raises CallFailed with what to do.
    """
    if key := given or settings.ENV["KALLGLOT_API_KEY"]:
        yield key
        return
    if url != running_url():
        raise CallFailed(
            f"Calling {url} needs an API key: --key sk_live_…, or the environment variable "
            "KALLGLOT_API_KEY. `manage.py bootstrap --organization NAME` makes one."
        )
    organizations = list(Organization.objects.order_by("created_at")[:2])
    if len(organizations) != 1:
        raise CallFailed(
            "There is no organization yet. `manage.py bootstrap --organization NAME` makes one."
            if not organizations
            else "There are several organizations: choose one by its key, with --key."
        )
    _leftover_keys_delete()
    made, secret = api_key_create(
        tenant=Tenant(organizations[0], Environment.LIVE),
        name=_KEY_NAME,
        scopes=["sessions:read", "sessions:write"],
        # If this process is killed, the key stays until the next call after this time.
        expires_at=timezone.now() + datetime.timedelta(hours=12),
    )
    try:
        yield secret
    finally:
        api_key_revoke(api_key=made)
        made.delete()


def _leftover_keys_delete() -> None:
    """Keys of calls that were killed, and those that earlier versions revoked and kept."""
    ended = Q(expires_at__lt=timezone.now()) | Q(revoked_at__isnull=False)
    ApiKey.objects.filter(ended, name=_KEY_NAME, created_by=None).delete()
