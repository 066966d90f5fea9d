"""The installation's settings, as tests want them: state in a temporary folder, cheap passwords."""

import atexit
import os
import shutil
import tempfile

if "KALLGLOT_DATA_DIR" not in os.environ:
    os.environ["KALLGLOT_DATA_DIR"] = _folder = tempfile.mkdtemp(prefix="kallglot-tests-")
    _owner = os.getpid()

    @atexit.register
    def _remove() -> None:
        # A forked child runs the parent's exit handlers too; the folder is not its to remove.
        if os.getpid() == _owner:
            shutil.rmtree(_folder, ignore_errors=True)


from kallglot_site.settings import *  # noqa: F403

# Passwords in tests protect nothing, and a real hash costs a quarter of a second each.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
