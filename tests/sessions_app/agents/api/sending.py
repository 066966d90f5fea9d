"""Requests of the tests of agents and knowledge bases."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client


def send(api: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    return api.generic(
        method,
        path,
        "" if body is None else json.dumps(body),
        content_type="application/json",
        headers=headers,
    )


def upload(api: Client, path: str, name: str, content: bytes, **more: Any) -> Any:
    """A form with the file, and other fields; ``headers`` as a keyword."""
    headers = more.pop("headers", {})
    return api.post(path, {"file": SimpleUploadedFile(name, content), **more}, headers=headers)


def error_of(response: Any) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]
