"""Schemathesis over the whole schema: generated requests, and sequences of linked requests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import ROOT, Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_schemathesis_finds_no_failure(server: Server, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{server.url}/v1/openapi.json",
        "--header",
        f"Authorization: Bearer {server.credentials.test_key}",
        "--max-examples=12",
        "--generation-deterministic",
        "--generation-allow-x00=false",  # refused deliberately: see test_hostile_input
        "--continue-on-failure",
        "--no-color",
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.schemathesis_hooks",
        "PYTHONPATH": str(ROOT),
    }

    finished = subprocess.run(
        command,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )

    assert finished.returncode == 0, finished.stdout[-6000:] + finished.stderr[-2000:]
    assert "Stateful" in finished.stdout
