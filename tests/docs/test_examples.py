"""Every example in the documents works: blocks marked `bash` and `python` are run as written.

The blocks of one page run in order, in one folder, on a live installation, with `$URL` and `$KEY`
set as the page tells its reader to (programs get both as arguments, and a file), and with a short
spoken call in `call.wav`, `agent.wav` and `customer.wav`. Blocks marked `sh` are for the reader's
own machine (starting servers, installing); of those, the commands must at least exist.
"""

import asyncio
import re
import shlex
import subprocess
import sys
import wave
from pathlib import Path

import pytest
import uvicorn
from django.conf import settings

from kallglot_site.caller.spoken import Line, call_speak
from kallglot_site.servers import uvicorn_options
from kallglot_site.sockets.under_uvicorn import WebSocket
from sessions_app.media import decode
from tests.e2e.server import Server

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TIMEOUT = 120  # seconds for one block


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    return [block for block in _BLOCK.findall(page.read_text()) if block[0] in languages]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a few seconds of a spoken call."""
    folder = tmp_path_factory.mktemp("speech")
    script = (Line("agent", "How can I help you today?"), Line("customer", "My parcel is late."))
    parties = asyncio.run(call_speak(script))
    for speaker, frames in parties.items():
        write(folder / f"{speaker}.wav", b"".join(frames))
    write(folder / "call.wav", b"".join(parties["customer"]))
    return folder


def write(path: Path, mulaw: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(decode(mulaw, "mulaw").tobytes())


@pytest.mark.e2e
@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "bash", "python")], ids=name
)
def test_examples_run_as_written(
    page: Path, server: Server, speech: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if page.name == "translation.md":
        request.getfixturevalue("apertium")
    for file in speech.iterdir():
        (tmp_path / file.name).symlink_to(file)
    # The reader stands in the project's folder; the examples' own files should not land there.
    (tmp_path / "manage.py").symlink_to(ROOT / "manage.py")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for language, code in blocks(page, "bash", "python"):
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", code]
            if language == "bash"
            else [sys.executable, "-c", code, server.url, server.credentials.live_key, "call.wav"],
            cwd=tmp_path,
            env={
                **server.environment,
                "PYTHONPATH": str(ROOT),
                "URL": server.url,
                "KEY": server.credentials.live_key,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert result.returncode == 0, f"{code}\n{result.stdout}\n{result.stderr}"
        if "websockets.connect" in code:
            assert "parcel" in result.stdout  # the client received the transcript
    if page.name == "recordings.md":
        assert (tmp_path / "recording.ogg").read_bytes().startswith(b"OggS")


def test_uvicorn_by_hand_is_told_what_the_gateway_tells_it() -> None:
    (command,) = re.findall(
        r"^\.venv/bin/uvicorn (.*?[^\\])$",
        (ROOT / "docs" / "operations.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    flags = uvicorn.main.make_context("uvicorn", shlex.split(command.replace("\\\n", " "))).params
    options = uvicorn_options()
    assert {option: flags[option] for option in options} == options
    assert flags["log_level"] == "warning"  # below it, uvicorn names the address of each socket
    config = uvicorn.Config(flags["app"], ws=flags["ws"], lifespan=flags["lifespan"])
    config.load()
    assert config.ws_protocol_class is WebSocket


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_named_exists(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=`|$|\s+#|\s*\n)", text)) <= targets
    commands = {
        file.stem for file in ROOT.glob("*/management/commands/*.py") if file.stem != "__init__"
    }
    commands |= {"migrate", "check", "makemigrations", "shell", "createsuperuser", "runserver"}
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= commands


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{name(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_setting_named_exists(page: Path) -> None:
    named = set(re.findall(r"\bKALLGLOT_[A-Z_]+[A-Z]\b", page.read_text()))
    assert named <= set(settings.ENV)
