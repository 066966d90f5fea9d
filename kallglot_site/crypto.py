"""Encryption of stored secrets, with keys derived from the secret key.

Fernet (AES-128-CBC and HMAC-SHA256) from ``cryptography``; each purpose has its own key, so that a
ciphertext made for one purpose is refused for another. Earlier secret keys still decrypt.
"""

import base64
import functools

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class DecryptionError(Exception):
    """The ciphertext was made with another secret key or for another purpose, or was altered."""


@functools.lru_cache(maxsize=32)
def _cipher(purpose: str, keys: tuple[str, ...]) -> MultiFernet:
    def derive(key: str) -> Fernet:
        kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode())
        return Fernet(base64.urlsafe_b64encode(kdf.derive(key.encode())))

    return MultiFernet([derive(key) for key in keys])


def _for(purpose: str) -> MultiFernet:
    return _cipher(purpose, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def encrypt(plaintext: bytes, *, purpose: str) -> bytes:
    return _for(purpose).encrypt(plaintext)


def decrypt(ciphertext: bytes, *, purpose: str) -> bytes:
    """Raises DecryptionError."""
    try:
        return _for(purpose).decrypt(bytes(ciphertext))
    except InvalidToken as error:
        raise DecryptionError(f"cannot decrypt this {purpose}") from error
