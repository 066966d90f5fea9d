"""A call streamed as by Twilio, from the documented TwiML to the transcript."""

import asyncio
import json
import re
import subprocess
import sys
import time
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from kallglot_site.caller.spoken import Line, call_speak
from tests.e2e.server import ROOT, Server, running, same_size
from tests.fakes.twilio import CONNECTED, TwilioMessages

SCRIPT = (Line("agent", "How can I help you today?"), Line("customer", "My parcel is late."))
PIECE = 160  # bytes of mu-law: 20 ms
TIMEOUT = 60.0  # seconds


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with (
        same_size() as settings,
        running(
            tmp_path_factory.mktemp(request.param), server=request.param, settings=settings
        ) as server,
    ):
        yield server


def documented_twiml(server: Server) -> ElementTree.Element:
    """The output of the program in docs/streaming.md."""
    guide = (ROOT / "docs" / "streaming.md").read_text()
    programs = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    [program] = [each for each in programs if "<Stream " in each]
    printed = subprocess.run(
        [sys.executable, "-c", program, server.url, server.credentials.live_key, "+15550001111"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    ).stdout
    return ElementTree.fromstring(printed)


def stream_of(twiml: ElementTree.Element) -> tuple[str, dict[str, str]]:
    """The stream's address and parameters."""
    stream = twiml.find("./Start/Stream")
    assert stream is not None
    assert (stream.get("track"), twiml.findtext("Dial")) == ("both_tracks", "+15550001111")
    parameters = {each.get("name", ""): each.get("value", "") for each in stream.iter("Parameter")}
    # Twilio allows no longer parameters and no query string.
    assert all(len(name) + len(value) <= 500 for name, value in parameters.items())
    address = stream.get("url", "")
    assert "?" not in address
    return address, parameters


def received(socket: ClientConnection) -> tuple[list[str | bytes], int | None]:
    """All messages until the server closes, and its close code."""
    messages: list[str | bytes] = []
    try:
        while True:
            messages.append(socket.recv(timeout=TIMEOUT))
    except ConnectionClosed as closed:
        return messages, closed.rcvd.code if closed.rcvd else None


def transcript_of(client: httpx.Client, session_id: str) -> dict[str, Any]:
    """The transcript, once it is complete."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        transcript: dict[str, Any] = client.get(f"/v1/sessions/{session_id}/transcript").json()
        if transcript["status"] == "complete" or time.monotonic() > deadline:
            return transcript
        time.sleep(0.2)


def test_a_call_streamed_by_twilio_is_in_the_transcript(installation: Server) -> None:
    address, parameters = stream_of(documented_twiml(installation))
    session_id = address.split("/")[-2]
    spoken = {who: b"".join(frames) for who, frames in asyncio.run(call_speak(SCRIPT)).items()}
    twilio = TwilioMessages()
    with connect(address, proxy=None, ping_interval=None) as socket:
        socket.send(json.dumps(CONNECTED))
        socket.send(json.dumps(twilio.start(parameters, ("inbound", "outbound"))))
        for begin in range(0, len(spoken["customer"]) - PIECE, PIECE):
            for track, who in (("inbound", "customer"), ("outbound", "agent")):
                piece = spoken[who][begin : begin + PIECE]
                socket.send(json.dumps(twilio.media(piece, track)))
        socket.send(json.dumps(twilio.dtmf("5")))
        socket.send(json.dumps(twilio.stop()))
        assert received(socket) == ([], 1000)

    with installation.client() as client:
        session = client.get(f"/v1/sessions/{session_id}").json()
        assert (session["status"], session["provider"]["type"]) == ("active", "twilio")
        client.post(f"/v1/sessions/{session_id}/end", json={"reason": "completed"})
        transcript = transcript_of(client, session_id)
    said = {segment["speaker"]: segment["text"].lower() for segment in transcript["segments"]}
    assert "help" in said["agent"]
    assert "parcel" in said["customer"]
    assert transcript["status"] == "complete"
    assert parameters["token"] not in "".join(installation.output)


def test_a_wrong_token_is_refused_without_a_message(installation: Server) -> None:
    address, parameters = stream_of(documented_twiml(installation))
    altered = {"token": parameters["token"][:-4] + "AAAA"}
    with connect(address, proxy=None, ping_interval=None) as socket:
        socket.send(json.dumps(CONNECTED))
        socket.send(json.dumps(TwilioMessages().start(altered)))
        assert received(socket) == ([], 4401)


def test_a_client_that_sends_no_start_is_closed(installation: Server) -> None:
    address, _ = stream_of(documented_twiml(installation))
    with connect(address, proxy=None, ping_interval=None) as socket:
        socket.send(json.dumps(CONNECTED))
        assert received(socket) == ([], 4401)
