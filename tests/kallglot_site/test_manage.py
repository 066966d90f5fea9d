"""Where the command line keeps local state."""

import shutil
import subprocess
import sys

from tests.e2e.server import ROOT, clean_environment


def test_a_command_leaves_nothing_in_the_folder_it_is_run_from(tmp_path):
    """The data directory is the checkout's own."""
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    checkout.mkdir()
    elsewhere.mkdir()
    for name in ("manage.py", "pyproject.toml"):
        shutil.copy(ROOT / name, checkout)
    for folder in ROOT.iterdir():
        if folder.is_dir() and (folder.name.endswith("_app") or folder.name == "kallglot_site"):
            (checkout / folder.name).symlink_to(folder)
    environment = clean_environment(elsewhere)
    del environment["KALLGLOT_DATA_DIR"]
    printed = subprocess.run(
        [sys.executable, checkout / "manage.py", "settings"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"KALLGLOT_DATA_DIR={checkout / 'data'}\n" in printed.stdout
    assert (checkout / "data" / "secret_key").exists()
    assert list(elsewhere.iterdir()) == []
