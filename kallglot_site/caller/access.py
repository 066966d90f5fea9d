"""Which server to call, and with what key, when nobody said."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.utils import timezone

from kallglot_site.accounts.models import Environment, Organization
from kallglot_site.accounts.services import api_key_create, api_key_revoke
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.caller.errors import CallFailed
from kallglot_site.running import running_url

DEFAULT_URL = "http://127.0.0.1:8000"


def server_url(given: str | None) -> str:
    """The server named, else the one that runs on this data directory, else the usual address."""
    return given or running_url() or DEFAULT_URL


@contextmanager
def api_key(given: str | None, url: str) -> Iterator[str]:
    """The key named, by option or KALLGLOT_API_KEY; else one that lives as long as the call.

    Only for the server that runs on this machine's data directory, and only if there is no doubt
    whose key it should be. Raises CallFailed with what to do.
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
            else "There are several organizations: say whose call this is with --key."
        )
    made, secret = api_key_create(
        tenant=Tenant(organizations[0], Environment.LIVE),
        name="manage.py call",
        scopes=["sessions:read", "sessions:write"],
        # Should this process be killed before it revokes the key.
        expires_at=timezone.now() + datetime.timedelta(hours=12),
    )
    try:
        yield secret
    finally:
        api_key_revoke(api_key=made)
