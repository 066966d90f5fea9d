"""Encryption at rest: libsodium's secretstream (XChaCha20-Poly1305), through PyNaCl.

A stream is a sequence of authenticated messages whose order, number and end cannot be altered
unnoticed (https://doc.libsodium.org/secret-key_cryptography/secretstream). A spool pushes one
message per frame, so that whatever reached the disk can be read; a finished file pushes one per
64 KiB. Reading a range decrypts from the beginning and discards: about 1 GB/s, which costs less
than an index would.

The key is derived from ``KALLGLOT_MEDIA_KEY``. Several keys with commas: the first encrypts, all
decrypt, so that a key can be replaced.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from nacl import bindings, exceptions

KEY_ID_BYTES: Final = 4
PREAMBLE_BYTES: Final = KEY_ID_BYTES + bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES
OVERHEAD: Final[int] = bindings.crypto_secretstream_xchacha20poly1305_ABYTES
CHUNK: Final = 64 * 1024

_MESSAGE: Final = bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
_FINAL: Final = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL


class MediaKeyError(Exception):
    """The audio was encrypted with a key that KALLGLOT_MEDIA_KEY does not hold."""


class MediaCorrupt(Exception):
    """The audio was altered or cut short, or is not encrypted audio at all."""


@functools.lru_cache(maxsize=8)
def _keys(configured: str) -> dict[bytes, bytes]:
    """Derived keys by their id, the encrypting one first."""

    def derive(key: str, info: bytes, length: int) -> bytes:
        kdf = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info)
        return kdf.derive(key.encode())

    return {
        derive(key, b"kallglot media key id", KEY_ID_BYTES): derive(key, b"kallglot media", 32)
        for item in configured.split(",")
        if (key := item.strip())
    }


def is_enabled() -> bool:
    return bool(_keys(settings.MEDIA_KEY))


class Encryptor:
    """One stream. ``preamble`` goes first, then what each ``push`` returns, in order."""

    def __init__(self) -> None:
        key_id, key = next(iter(_keys(settings.MEDIA_KEY).items()))
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        header = bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key)
        self.preamble: bytes = key_id + header

    def push(self, message: bytes, *, final: bool = False) -> bytes:
        """``OVERHEAD`` bytes longer than ``message``."""
        sealed: bytes = bindings.crypto_secretstream_xchacha20poly1305_push(
            self._state, message, tag=_FINAL if final else _MESSAGE
        )
        return sealed


class Decryptor:
    """Raises MediaKeyError when no configured key is the stream's, MediaCorrupt on a bad one."""

    def __init__(self, preamble: bytes) -> None:
        key = _keys(settings.MEDIA_KEY).get(preamble[:KEY_ID_BYTES])
        if len(preamble) != PREAMBLE_BYTES:
            raise MediaCorrupt("the encrypted audio has no complete header")
        if key is None:
            raise MediaKeyError("the audio was encrypted with a key that is not configured")
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(
            self._state, preamble[KEY_ID_BYTES:], key
        )

    def pull(self, sealed: bytes) -> tuple[bytes, bool]:
        """The message and whether it is the stream's last."""
        try:
            message, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(self._state, sealed)
        except (exceptions.CryptoError, exceptions.TypeError, exceptions.ValueError) as error:
            raise MediaCorrupt("the encrypted audio was altered") from error
        return message, tag == _FINAL


def encrypted_size(size: int) -> int:
    """Bytes that ``size`` bytes of plain audio take in a file."""
    return PREAMBLE_BYTES + size + OVERHEAD * max(1, -(-size // CHUNK))


def encrypt_chunks(plain: BinaryIO) -> Iterator[bytes]:
    """Encrypt a whole file, from its current position."""
    encryptor = Encryptor()
    yield encryptor.preamble
    chunk = plain.read(CHUNK)
    while True:
        following = plain.read(CHUNK)
        yield encryptor.push(chunk, final=not following)
        if not following:
            return
        chunk = following


def decrypt_chunks(sealed: BinaryIO) -> Iterator[bytes]:
    """The opposite of ``encrypt_chunks``. Raises MediaCorrupt also when the end is missing."""
    decryptor = Decryptor(sealed.read(PREAMBLE_BYTES))
    final = False
    while block := sealed.read(CHUNK + OVERHEAD):
        if final:
            raise MediaCorrupt("there is data after the end of the encrypted audio")
        message, final = decryptor.pull(block)
        yield message
    if not final:
        raise MediaCorrupt("the encrypted audio is cut short")


def slice_chunks(chunks: Iterable[bytes], start: int, length: int) -> Iterator[bytes]:
    """``length`` bytes from ``start`` of what ``chunks`` holds together."""
    position, end = 0, start + length
    for chunk in chunks:
        if position >= end:
            return
        first, last = max(start - position, 0), min(end - position, len(chunk))
        if first < last:
            yield chunk[first:last]
        position += len(chunk)
