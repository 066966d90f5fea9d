"""Static files: compressed, and kept by browsers as long as their names allow."""

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

VENDOR = Path(settings.BASE_DIR) / "static"
VERSIONED = [
    path.relative_to(VENDOR)
    for path in sorted(VENDOR.rglob("*.js"))
    if re.search(r"-\d+\.\d+\.\d+/", str(path))
]


@pytest.mark.parametrize("path", VERSIONED, ids=str)
def test_a_file_of_a_named_version_is_kept_for_long(client: Client, path: Path) -> None:
    answer = client.get(f"/static/{path}")
    assert answer.status_code == 200
    assert "immutable" in answer["Cache-Control"]


def test_there_are_such_files() -> None:
    assert VERSIONED


def test_a_file_without_a_version_is_not(client: Client) -> None:
    (name,) = [p.name for p in (VENDOR / "css").glob("*.css")][:1]
    answer = client.get(f"/static/css/{name}", headers={"accept-encoding": "gzip"})
    assert "immutable" not in answer["Cache-Control"]
    assert answer["Content-Encoding"] == "gzip"
    body = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert gzip.decompress(body) == (VENDOR / "css" / name).read_bytes()
