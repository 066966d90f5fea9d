"""The version, read from ``pyproject.toml``.

Kallglot runs from a checkout and is not installed as a package, so it has no package metadata.
"""

import tomllib
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"

VERSION: str = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"]


def version_context(request: Any) -> dict[str, str]:
    """Template context processor: ``version`` for the footer of every dashboard page."""
    return {"version": VERSION}
