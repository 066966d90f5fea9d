"""Reads and writes recordings in the storage: local files (encrypted or not) or S3.

Names consist of ids and random tokens; nothing that a client sent becomes part of one.
"""

import os
import secrets
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, cast

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage, storages

from recordings_app.media import encryption
from recordings_app.media.checksums import digest

CHUNK: Final = 128 * 1024


class Stored(Protocol):
    """What is needed to read an object; a RecordingFile has it."""

    name: str
    size: int
    encrypted: bool


class StorageMismatch(Exception):
    """The storage returned other bytes than were stored."""


def object_name(organization_id: str, session_id: str, recording_id: str, format: str) -> str:
    """A new name for every attempt, so that a dead worker's file is never taken for another's."""
    token = secrets.token_hex(8)
    return f"recordings/{organization_id}/{session_id}/{recording_id}-{token}.{format}"


def is_local() -> bool:
    return isinstance(storages["default"], FileSystemStorage)


class _Encrypting(File[bytes]):
    """Gives FileSystemStorage the encrypted bytes, in chunks."""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        return encryption.encrypt_chunks(cast(BinaryIO, self.file))


def spool_name(session_id: str, part: str) -> str:
    return f"spool/{session_id}/{secrets.token_hex(8)}-{part}"


def store(name: str, content: BinaryIO, *, content_type: str) -> bool:
    """Put a file into the storage, durably. Returns whether it was encrypted.

    Raises OSError or the S3 client's errors; an incomplete object may be left under ``name``.
    """
    encrypt = is_local() and encryption.is_enabled()
    file: Any = _Encrypting(content) if encrypt else File(content)
    file.content_type = content_type  # read by the S3 storage
    _save(name, file)
    return encrypt


def store_as_is(name: str, content: BinaryIO) -> None:
    """Put a file as it is: a spool part, which may be encrypted already."""
    _save(name, File(content))


def _save(name: str, file: Any) -> None:
    saved = default_storage.save(name, file)
    if saved != name:
        default_storage.delete(saved)
        raise StorageMismatch("the storage already has an object of that name")
    if is_local():
        _sync(default_storage.path(name))


def verify(stored: Stored, sha256: str) -> None:
    """Read the object back. Raises StorageMismatch if it differs from what was stored."""
    with closing(read(stored)) as chunks:
        size, found = digest(chunks)
    if (size, found) != (stored.size, sha256):
        raise StorageMismatch("the stored object differs from what was stored")


def read(stored: Stored, start: int = 0, length: int | None = None) -> Generator[bytes]:
    """Bytes of the (decrypted) object, in chunks. Opens it on the first one.

    Raises FileNotFoundError or the S3 client's errors when it is gone.
    """
    length = stored.size - start if length is None else length
    if length <= 0:
        return
    if not is_local():
        yield from _read_s3(stored.name, start, length)
        return
    with open(default_storage.path(stored.name), "rb") as file:  # noqa: PTH123
        if stored.encrypted:
            yield from encryption.slice_chunks(encryption.decrypt_chunks(file), start, length)
            return
        file.seek(start)
        while length > 0 and (chunk := file.read(min(CHUNK, length))):
            length -= len(chunk)
            yield chunk


def read_whole(name: str) -> Iterator[bytes]:
    """An object's stored bytes in chunks, not decrypted (spool parts)."""
    if is_local():
        with open(default_storage.path(name), "rb") as file:  # noqa: PTH123
            while chunk := file.read(CHUNK):
                yield chunk
    else:
        yield from _body(_s3().bucket.Object(_s3_key(name)).get()["Body"])


def remove(name: str) -> None:
    """Delete an object. No error if it is gone already."""
    default_storage.delete(name)


def presigned_url(stored: Stored, *, seconds: int, disposition: str, content_type: str) -> str:
    """A URL from which S3 serves the object without a key."""
    parameters = {"ResponseContentDisposition": disposition, "ResponseContentType": content_type}
    return str(_s3().url(stored.name, parameters=parameters, expire=seconds))


def _read_s3(name: str, start: int, length: int) -> Iterator[bytes]:
    span = f"bytes={start}-{start + length - 1}"
    yield from _body(_s3().bucket.Object(_s3_key(name)).get(Range=span)["Body"])


def _body(body: Any) -> Iterator[bytes]:
    with closing(body):
        yield from body.iter_chunks(CHUNK)


def _s3() -> Any:
    return default_storage


def _s3_key(name: str) -> str:
    return str(_s3()._normalize_name(name))


def _sync(path: str) -> None:
    """Sync the file and its directory: the spool is deleted next, and the power may fail then."""
    for target, flags in ((path, os.O_RDONLY), (str(Path(path).parent), os.O_RDONLY)):
        descriptor = os.open(target, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def is_gone(error: Exception) -> bool:
    """Whether reading failed because the object does not exist any more."""
    if isinstance(error, FileNotFoundError):
        return True
    response = getattr(error, "response", None)  # botocore's ClientError
    return isinstance(response, dict) and response.get("Error", {}).get("Code") in {
        "NoSuchKey",
        "404",
    }
