"""Scoped reads of accounts."""

from django.db.models import QuerySet

from kallglot_site.accounts.models import ApiKey, Organization
from kallglot_site.api.lookup import get_or_not_found


def api_key_list(*, organization: Organization, environment: str | None = None) -> QuerySet[ApiKey]:
    """The organization's keys, newest first, revoked and expired ones among them."""
    keys = ApiKey.objects.filter(organization=organization).select_related("created_by")
    if environment is not None:
        keys = keys.filter(environment=environment)
    return keys.order_by("-id")


def api_key_get(*, organization: Organization, api_key_id: str) -> ApiKey:
    """Raises NotFound, for unknown, foreign and malformed ids alike."""
    keys = ApiKey.objects.filter(organization=organization).select_related("organization")
    return get_or_not_found(keys, api_key_id, prefix="key", kind="API key")
