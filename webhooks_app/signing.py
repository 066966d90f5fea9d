"""Signing secrets, and the two signatures every delivery carries.

``Kallglot-Signature`` signs with the secret's text; the Standard Webhooks trio (see
https://www.standardwebhooks.com) with the bytes that its base64 part stands for.
"""

import base64
import functools
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from kallglot_site import crypto

PREFIX = "whsec_"
_PURPOSE = "webhook secret"


def secret_generate() -> str:
    """``whsec_`` and the base64 of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_seal(secret: str) -> bytes:
    return crypto.encrypt(secret.encode(), purpose=_PURPOSE)


@functools.lru_cache(maxsize=1024)
def secret_open(sealed: bytes) -> str:
    """Raises ``crypto.DecryptionError``. Cached: a busy endpoint needs it for every delivery."""
    return crypto.decrypt(sealed, purpose=_PURPOSE).decode()


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)


def signature_headers(
    body: bytes, *, event_id: str, timestamp: int, secrets: Sequence[str]
) -> dict[str, str]:
    """Both signatures over ``body``, one value per secret, the newest first.

    ``timestamp`` is in Unix seconds.
    """
    own = [f"t={timestamp}"]
    standard = []
    for secret in secrets:
        own.append(f"v1={_mac(secret.encode(), b'%d.%b' % (timestamp, body)).hex()}")
        key = base64.b64decode(secret.removeprefix(PREFIX))
        signed = _mac(key, b"%b.%d.%b" % (event_id.encode(), timestamp, body))
        standard.append(f"v1,{base64.b64encode(signed).decode()}")
    return {
        "Kallglot-Signature": ",".join(own),
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(standard),
    }
