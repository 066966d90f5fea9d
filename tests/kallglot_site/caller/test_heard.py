"""What a party of a translated call hears, as a file."""

import base64
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kallglot_site.caller.client import Caller, CallPlan
from kallglot_site.caller.errors import CallFailed
from kallglot_site.caller.heard import Heard
from sessions_app.media import encode
from tests.fakes.clock import VirtualClock
from tests.kallglot_site.caller.scripted_server import ScriptedServer, served

LOUD = 8031  # a value that mu-law keeps


def output(seconds: float) -> dict[str, Any]:
    payload = encode(np.full(int(seconds * 8000), LOUD, np.int16), "mulaw")
    audio = {"encoding": "mulaw", "payload": base64.b64encode(payload).decode()}
    return {"type": "audio.output", "audio": audio}


def loud_from_to(path: Path) -> list[tuple[float, float]]:
    """The seconds in which the file is not silent."""
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    padded: npt.NDArray[np.int8] = np.pad((samples != 0).astype(np.int8), 1)
    edges = np.flatnonzero(np.diff(padded)) / 8000
    return [(float(a), float(b)) for a, b in edges.reshape(-1, 2)]


def heard_with_clock() -> tuple[Heard, VirtualClock]:
    clock = VirtualClock()
    heard = Heard(clock.time)
    heard.take({"type": "session.ready"})
    return heard, clock


def test_speech_is_where_it_was_heard_and_pieces_follow_one_another(tmp_path):
    heard, clock = heard_with_clock()
    clock.stall(2.0)
    heard.take(output(0.5))
    heard.take(output(0.5))  # sent ahead
    clock.stall(4.0)
    heard.take(output(0.5))
    heard.write(tmp_path / "agent-hears.wav")
    assert loud_from_to(tmp_path / "agent-hears.wav") == [(2.0, 3.0), (6.0, 6.5)]


def test_what_is_cleared_is_not_heard(tmp_path):
    heard, clock = heard_with_clock()
    heard.take(output(0.5))
    heard.take(output(0.5))
    clock.stall(0.7)
    heard.take({"type": "audio.clear", "segment_id": None, "reason": "barge_in"})
    clock.stall(0.3)
    heard.take(output(0.5))
    heard.write(tmp_path / "agent-hears.wav")
    assert loud_from_to(tmp_path / "agent-hears.wav") == [(0.0, 0.7), (1.0, 1.5)]


def test_who_hears_nothing_has_an_empty_file(tmp_path):
    Heard().write(tmp_path / "agent-hears.wav")
    assert loud_from_to(tmp_path / "agent-hears.wav") == []


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(CallFailed, match=r"agent-hears\.wav cannot be written"):
        Heard().write(tmp_path / "none" / "agent-hears.wav")


async def test_audio_goes_to_its_party_and_messages_come_without_it(tmp_path):
    server = ScriptedServer()
    server.finals.append(output(0.5))
    heard = {"agent": Heard(), "customer": Heard()}
    messages: list[dict[str, Any]] = []
    silence = [bytes(800)] * 5
    async with served(server):
        caller = Caller(server.url, "sk_test_key", messages.append, heard=heard)
        await caller.play(CallPlan({"agent": silence, "customer": silence}, speed=20))
    (spoken,) = [message for message in messages if message["type"] == "audio.output"]
    assert spoken["audio"] == {"encoding": "mulaw"}
    for speaker, sound in heard.items():
        sound.write(tmp_path / f"{speaker}.wav")
        ((began, ended),) = loud_from_to(tmp_path / f"{speaker}.wav")
        assert ended - began == pytest.approx(0.5)
