"""`manage.py call` and `manage.py demo` on a real installation with real speech."""

import json
import socket
import wave
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.server import Server
from tests.requirements import needs_apertium


@pytest.fixture
def silence(tmp_path: Path) -> Path:
    """One second of silence."""
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
        file.writeframes(bytes(16_000))
    return path


@pytest.fixture(scope="module")
def demo(server: Server) -> list[dict[str, Any]]:
    """The demo's output. Needs no key: it creates one, as the server runs on this machine."""
    printed = server.manage("demo", "--mode", "transcription", "--json").stdout
    return [json.loads(line) for line in printed.splitlines()]


def test_the_demo_plays_two_speakers_and_both_are_transcribed(demo: list[dict[str, Any]]) -> None:
    *messages, last = demo
    finals = [message for message in messages if message["type"] == "transcript.final"]
    transcript = last["transcript"]
    assert [segment["id"] for segment in transcript["segments"]] == [f["id"] for f in finals]
    assert transcript["status"] == "complete"
    said = {
        speaker: " ".join(s["text"] for s in transcript["segments"] if s["speaker"] == speaker)
        for speaker in ("agent", "customer")
    }
    assert "coffee machine" in said["customer"]
    assert "tracking link" in said["agent"]
    assert "coffee machine" not in said["agent"]
    assert any(message["type"] == "transcript.partial" for message in messages)


@needs_apertium
def test_the_demo_is_translated_where_the_installation_can(server: Server) -> None:
    *messages, last = [
        json.loads(line) for line in server.manage("demo", "--json").stdout.splitlines()
    ]
    transcript = last["transcript"]
    assert transcript["language"] == {"source": "es", "target": "en"}
    translated = {
        speaker: " ".join(
            s["translation"] or "" for s in transcript["segments"] if s["speaker"] == speaker
        ).lower()
        for speaker in ("agent", "customer")
    }
    # Small models hear a plain voice in more than one way.
    assert any(each in translated["customer"] for each in ("package", "information", "thank"))
    assert any(each in translated["agent"] for each in ("mañana", "información", "gracias"))
    live = [message for message in messages if message["type"] == "translation.final"]
    assert {message["speaker"] for message in live} == {"agent", "customer"}
    heard = [message for message in messages if message["type"] == "audio.output"]
    assert {message["speaker"] for message in heard} == {"customer"}  # by the agent
    assert all("payload" not in message["audio"] for message in heard)


def test_the_log_contains_no_words_and_no_secrets_of_a_call(
    server: Server, demo: list[dict[str, Any]]
) -> None:
    log = "".join(server.output)
    assert demo[-1]["transcript"]["session_id"] in log
    for said in ("coffee", "parcel", "4719", "tracking"):
        assert said not in log
    for secret in ("kst_live_", "sk_live_", "token=", server.credentials.live_key):
        assert secret not in log


def test_a_silent_call_has_an_empty_transcript(server: Server, silence: Path) -> None:
    printed = server.manage("call", str(silence), "--speed", "10", "--json").stdout
    transcript = json.loads(printed.splitlines()[-1])["transcript"]
    assert transcript["segments"] == []
    assert transcript["duration"] == pytest.approx(1.0, abs=0.2)


def test_a_wrong_key_gives_a_plain_error(server: Server, silence: Path) -> None:
    refused = server.manage("call", str(silence), "--key", "sk_live_wrong", check=False)
    assert refused.returncode == 2
    assert "The server refused" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_missing_server_gives_a_plain_error(server: Server, silence: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    refused = server.manage("call", str(silence), "--url", url, "--key", "sk_live_any", check=False)
    assert refused.returncode == 2
    assert f"Nothing answers at {url}. Start it with `make run`" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_refused_mode_gives_the_reason(server: Server, silence: Path) -> None:
    refused = server.manage(
        "call", str(silence), "--mode", "bidirectional_translation", "--source", "xx", check=False
    )
    assert refused.returncode == 2
    assert "The server refused" in refused.stderr
