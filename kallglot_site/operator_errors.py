"""Errors that the operator can fix: one or two lines on stderr and exit code 2.

Errors of the program itself have a traceback and exit code 1.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_CODE = 2


@contextmanager
def operator_errors_reported() -> Iterator[None]:
    """Run a command; print errors of the operator in short and exit with ``EXIT_CODE``.

    Django itself exits with 1 after a ``CommandError`` or a failed check.
    """
    # The settings may raise before Django is set up, so the imports are here.
    from django.core.exceptions import ImproperlyConfigured
    from django.db import OperationalError

    try:
        yield
    except ImproperlyConfigured as error:
        _end(str(error))
    except OperationalError as error:
        from kallglot_site.log_config import redact

        reason = str(error).strip().partition("\n")[0]
        _end(f"DATABASE_URL: no answer from this service: {redact(reason)}")
    except PermissionError as error:
        _end(f"{error.filename or error}: permission denied for user {_user()}.")
    except SystemExit as error:
        if error.code == 1:
            raise SystemExit(EXIT_CODE) from None
        raise


def _end(lines: str) -> NoReturn:
    sys.stderr.write(f"{lines}\n")
    raise SystemExit(EXIT_CODE) from None


def _user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return str(os.getuid())
