"""Size and SHA-256 of recorded bytes."""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, Final

_READ: Final = 1 << 20


def measure(file: BinaryIO) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a whole file."""
    file.seek(0)
    return digest(iter(lambda: file.read(_READ), b""))


def digest(chunks: Iterator[bytes]) -> tuple[int, str]:
    size, sha256 = 0, hashlib.sha256()
    for chunk in chunks:
        size += len(chunk)
        sha256.update(chunk)
    return size, sha256.hexdigest()
