"""The version is written once, in pyproject.toml, and shown wherever people look for it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.test import Client

from kallglot_site.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_the_version_is_the_one_in_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_the_changelog_has_a_section_for_the_version():
    assert f"\n## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("arguments", [["--version"], ["version"], ["up", "--version"]])
def test_the_command_line_prints_the_version_and_writes_nothing(tmp_path, arguments):
    printed = subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert printed.stdout == f"Kallglot {VERSION}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_the_api_schema_carries_the_version(client: Client):
    assert client.get("/v1/openapi.json").json()["info"]["version"] == VERSION


@pytest.mark.django_db
def test_every_dashboard_page_ends_with_the_version(client: Client, cast):
    client.force_login(cast.owner)
    page = client.get("/dashboard/")
    assert f'<footer class="version">Kallglot {VERSION}</footer>' in page.content.decode()
