#!/usr/bin/env python
"""Kallglot's command line: ``up`` starts everything, ``help`` lists the rest."""

import os
import sys
from pathlib import Path


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kallglot_site.settings")
    if "--version" in sys.argv[1:] or sys.argv[1:2] == ["version"]:
        # Django would print its own version.
        from kallglot_site.version import VERSION

        print(f"Kallglot {VERSION}")  # noqa: T201 - the command's output
        return
    # The data directory is in the checkout, whatever the current folder is.
    if not os.environ.get("KALLGLOT_DATA_DIR", "").strip():
        os.environ["KALLGLOT_DATA_DIR"] = str(Path(__file__).resolve().parent / "data")
    from django.core.management import execute_from_command_line

    from kallglot_site.operator_errors import operator_errors_reported

    with operator_errors_reported():
        # Read the settings first: Django would continue without them and fail with a traceback.
        import kallglot_site.settings  # noqa: F401

        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
