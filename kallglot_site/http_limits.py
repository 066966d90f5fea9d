"""How long the bodies of HTTP requests may be."""

import re
from typing import Final

MAX_BODY: Final = 1024 * 1024
"""Bytes. The rest of a longer body is dropped, and the views refuse it: their limits are lower."""

MAX_UPLOAD: Final = 10 * 1024 * 1024 + 64 * 1024
"""Bytes: a document of 10 MB, and the form around it."""

_UPLOADS: Final = re.compile(r"/v1/knowledge_bases/[^/]+/documents")


def body_limit(method: str, path: str) -> int:
    """The limit of a request's body, in bytes."""
    return MAX_UPLOAD if method == "POST" and _UPLOADS.fullmatch(path) else MAX_BODY
