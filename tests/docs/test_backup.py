"""The backup and the restore in docs/operations.md, run as written on a live installation."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_examples import ROOT
from tests.e2e.server import MANAGE, Server

pytestmark = pytest.mark.e2e

_COUNT = "from kallglot_site.accounts.models import Organization as O; print(O.objects.count())"


def script(heading: str) -> str:
    """The first block under a heading."""
    section = (ROOT / "docs" / "operations.md").read_text().split(f"\n{heading}\n")[1]
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return blocks[0]


def run(code: str, folder: Path, **variables: str) -> None:
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_a_backup_can_be_repeated_and_restored(server: Server, tmp_path: Path) -> None:
    if not (server.data_dir / "kallglot.sqlite3").exists():
        pytest.skip("the small installation's backup needs SQLite")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    backups, restored = tmp_path / "backups", tmp_path / "restored"
    for _ in range(2):
        run(
            script("## Backup"),
            tmp_path,
            BACKUPS=str(backups),
            KALLGLOT_DATA_DIR=str(server.data_dir),
        )
    folders = sorted(backups.iterdir())
    assert len(folders) == 2
    assert {path.name for path in tmp_path.iterdir()} == {".venv", "backups"}
    run(
        script("### Restore"),
        tmp_path,
        BACKUP=str(folders[1]),
        SECRET_KEY_FILE=str(server.data_dir / "secret_key"),
        KALLGLOT_DATA_DIR=str(restored),
    )
    count = subprocess.run(
        [*MANAGE, "shell", "--verbosity=0", "--command", _COUNT],
        env={**server.environment, "KALLGLOT_DATA_DIR": str(restored)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert int(count.stdout) >= 1
    assert (restored / "secret_key").read_bytes() == (server.data_dir / "secret_key").read_bytes()


def test_a_wrong_data_directory_fails_the_backup(tmp_path: Path) -> None:
    """Else it would be an empty database."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with pytest.raises(AssertionError, match="unable to open database"):
        run(
            script("## Backup"),
            tmp_path,
            BACKUPS=str(tmp_path / "backups"),
            KALLGLOT_DATA_DIR=str(tmp_path / "none"),
        )
