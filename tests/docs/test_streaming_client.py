"""The client in docs/streaming.md does what the page says when its connection is lost."""

import asyncio
import re
import sys
import wave
from pathlib import Path

import pytest

from tests.docs.test_examples import ROOT
from tests.kallglot_site.caller.scripted_server import Drop, ScriptedServer, served

FRAMES = 8


@pytest.fixture
def client(tmp_path: Path) -> Path:
    page = (ROOT / "docs" / "streaming.md").read_text()
    program = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    path = tmp_path / "stream.py"
    path.write_text(program)
    return path


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A file of FRAMES times 100 ms."""
    path = tmp_path / "customer.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(1600 * FRAMES))
    return path


async def run(client: Path, server: ScriptedServer, speech: Path) -> tuple[int, str]:
    async with served(server):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(client), server.url, "sk_test_key", str(speech)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, output.decode()


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1013, 4408])
async def test_the_client_reconnects_with_a_fresh_token_and_sends_the_rest(client, speech, code):
    server = ScriptedServer({"customer": [Drop(code, frames=3), Drop(0, status=503)]})
    returned, output = await run(client, server, speech)
    assert returned == 0, output
    assert "Traceback" not in output
    assert "never retrieved" not in output
    assert server.end_reason == "completed"
    assert len(server.tokens) == len(set(server.tokens)) == 2
    # A frame that was sent and not yet taken when the connection was lost is lost.
    assert server.frames["customer"][:3] == [0, 1, 2]
    assert server.frames["customer"][-1] == FRAMES - 1
    assert output.count("My parcel is late.") == 1


async def test_the_client_gives_up_on_a_code_that_reconnecting_does_not_cure(client, speech):
    server = ScriptedServer({"customer": [Drop(4400, frames=1)]})
    returned, output = await run(client, server, speech)
    assert returned == 1
    assert "closed with 4400" in output
    assert "Traceback" not in output
