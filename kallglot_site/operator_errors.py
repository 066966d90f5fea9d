"""What stops a command and only its operator can mend: one or two lines on stderr, exit code 2.

Exit code 1 and a traceback are left to errors of the program itself.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

EXIT_CODE = 2


@contextmanager
def operator_errors_reported() -> Iterator[None]:
    """Around a command line: print errors of the operator as lines and end with ``EXIT_CODE``.

    Django itself ends with 1 after a ``CommandError`` or a failed check.
    """
    # Settings raise before Django is set up, so nothing of Django's can be imported above.
    from django.core.exceptions import ImproperlyConfigured

    try:
        yield
    except ImproperlyConfigured as error:
        _end(str(error))
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
