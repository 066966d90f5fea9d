"""Settings for tests: data in a temporary folder, and fast password hashes."""

import atexit
import os
import shutil
import tempfile

if "KALLGLOT_DATA_DIR" not in os.environ:
    os.environ["KALLGLOT_DATA_DIR"] = _folder = tempfile.mkdtemp(prefix="kallglot-tests-")
    _owner = os.getpid()

    @atexit.register
    def _remove() -> None:
        # A forked child runs this handler too, and must not remove the parent's folder.
        if os.getpid() == _owner:
            shutil.rmtree(_folder, ignore_errors=True)


from kallglot_site.settings import *  # noqa: F403

# A real password hash takes a quarter of a second.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# The model of minilm:// takes seconds to load; tests of the search by meaning set an embedder.
EMBEDDER_URL = ""
