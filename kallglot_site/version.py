"""Which Kallglot this is, as written in ``pyproject.toml``.

Kallglot runs from a checkout and is not installed as a package, so there is no package metadata to
ask.
"""

import tomllib
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"

VERSION: str = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"]


def version_context(request: Any) -> dict[str, str]:
    """Template context processor: ``version`` for the foot of every dashboard page."""
    return {"version": VERSION}
