"""Signed URLs of files: each gives access to its file for an hour, without an API key."""

import time
from typing import Final

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest
from django.urls import reverse
from rest_framework.request import Request

from kallglot_site.api.links import public_url
from recordings_app.media import storage
from recordings_app.media.formats import CONTENT_TYPES
from recordings_app.media.responses import disposition
from recordings_app.models import RecordingFile

VALID_SECONDS: Final = 3600
_SALT: Final = "recordings_app.media.links"


def file_url(
    request: HttpRequest | Request, file: RecordingFile, filename: str, *, now: float | None = None
) -> str:
    """A signed URL: S3 signs its own; local files are served by ``media`` in the API's views."""
    if not storage.is_local():
        return storage.presigned_url(
            file,
            seconds=VALID_SECONDS,
            disposition=disposition(filename),
            content_type=CONTENT_TYPES[file.format],
        )
    expires = str(int(now if now is not None else time.time()) + VALID_SECONDS)
    path = reverse("recording_media", args=[file.id, filename])
    signature = Signer(salt=_SALT).signature(_signed(file.id, filename, expires))
    return f"{public_url(request)}{path}?expires={expires}&signature={signature}"


def link_is_valid(file_id: str, filename: str, expires: str, signature: str) -> bool:
    """Whether the signature is valid for exactly these values and has not expired."""
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        return False
    signer = Signer(salt=_SALT)
    try:
        signer.unsign(f"{_signed(file_id, filename, expires)}{signer.sep}{signature}")
    except BadSignature:
        return False
    return int(expires) > time.time()


def _signed(file_id: str, filename: str, expires: str) -> str:
    return f"{file_id}/{filename}/{expires}"
