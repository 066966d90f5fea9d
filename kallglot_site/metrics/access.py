"""Who may read metrics."""

import hmac
import ipaddress

from django.conf import settings

REFUSED = "Set KALLGLOT_METRICS_TOKEN and send it as bearer token."


def may_read(*, authorization: bytes, client: str, forwarded: bool) -> bool:
    """Whoever sends KALLGLOT_METRICS_TOKEN as bearer token.

    Without a token: in development only, clients on this machine. In production all clients seem
    to be on this machine if a proxy runs there.
    """
    if token := settings.METRICS_TOKEN:
        return hmac.compare_digest(authorization, f"Bearer {token}".encode())
    if settings.PRODUCTION or forwarded:
        return False
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False
