"""``requirements/install`` with a pip that only notes what it is asked to install."""

import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

PYTHON = """#!/bin/sh
for last; do :; done
echo "$last" >>pip.log
[ "$last" != "$(cat failing 2>/dev/null)" ]
"""


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "requirements").mkdir()
        shutil.copy(Path(settings.BASE_DIR) / "requirements/install", folder / "requirements")
        self.write("requirements/weights.txt", "weights==1\n")
        self.lock("1")
        self.write(".venv/bin/python", PYTHON).chmod(0o755)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def lock(self, version: str) -> None:
        """Check out this version of the lock files."""
        self.write("requirements/runtime.txt", f"package=={version}\n")
        self.write("requirements/dev.txt", f"package=={version}\ntests=={version}\n")

    def install(self, lock: str) -> tuple[int, list[str]]:
        """The exit code, and what pip was asked to install."""
        log = self.write("pip.log", "")
        script = self.folder / "requirements/install"
        ended = subprocess.run([script, lock], capture_output=True, timeout=60)
        return ended.returncode, log.read_text().split()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


ALL = ["requirements/runtime.txt", "requirements/weights.txt"]


def test_a_lock_that_is_installed_is_not_installed_again(checkout: Checkout) -> None:
    assert checkout.install("runtime") == (0, ALL)
    assert checkout.install("runtime") == (0, [])
    checkout.write("requirements/weights.txt", "weights==2\n")
    assert checkout.install("runtime") == (0, ALL)


def test_the_packages_of_the_tests_contain_those_of_the_server(checkout: Checkout) -> None:
    checkout.install("dev")
    assert checkout.install("runtime") == (0, [])


@pytest.mark.parametrize("failing", ALL)
def test_a_failed_installation_is_begun_again(checkout: Checkout, failing: str) -> None:
    checkout.write("failing", failing)
    assert checkout.install("runtime") == (1, ALL[: ALL.index(failing) + 1])
    (checkout.folder / "failing").unlink()
    assert checkout.install("runtime") == (0, ALL)


@pytest.mark.parametrize("failing", ["", ALL[1]])
def test_packages_of_an_older_version_are_installed_again(checkout: Checkout, failing: str) -> None:
    checkout.install("runtime")
    checkout.lock("2")
    checkout.write("failing", failing)
    checkout.install("dev")
    checkout.lock("1")
    checkout.write("failing", "")
    assert checkout.install("runtime") == (0, ALL)
