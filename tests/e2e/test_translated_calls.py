"""Translated calls whose parties are on two gateway processes, with PostgreSQL and Redis."""

import base64
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sessions_app.media import decode
from tests.e2e.scripted_translation import ScriptedTranslation, tone_in, tone_of, translated
from tests.e2e.test_two_gateways import (
    Gateway,
    Installation,
    Party,
    connected,
    large_installation,
    transcript,
)
from tests.fakes.audio import silence, speech
from tests.requirements import needs_postgres, needs_redis

pytestmark = [needs_postgres, needs_redis, pytest.mark.timeout(300)]

LANGUAGE = {"customer": "es", "agent": "en"}
OTHER = {"customer": "agent", "agent": "customer"}
NUMBERS = ["uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"]
TURNS = [
    ("agent", f"This is turn {number}.") if number % 2 else ("customer", f"El turno {name}.")
    for number, name in enumerate(NUMBERS)
]


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, ScriptedTranslation]]:
    made = {each: ScriptedTranslation() for each in ("transcriber", "translator", "synthesizer")}
    yield made
    for engine in made.values():
        engine.kill()


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_url: str,
    redis_url: str,
    engines: dict[str, ScriptedTranslation],
) -> Iterator[Installation]:
    settings = {
        "TRANSCRIBER_URL": engines["transcriber"].url,
        "TRANSLATOR_URL": f"{engines['translator'].url}?languages=en+es",
        "SYNTHESIZER_URL": engines["synthesizer"].url,
        "KALLGLOT_DRAIN_TIMEOUT": "10",
    }
    data = tmp_path_factory.mktemp("data")
    with large_installation(data, postgres_url, redis_url, settings) as made:
        yield made


@pytest.fixture(autouse=True)
def gateways_end(installation: Installation) -> Iterator[None]:
    """Each test has gateways of its own."""
    yield
    for gateway in installation.gateways:
        gateway.process.kill()
        gateway.process.wait()


class Call:
    """A translated call. What each party is told is kept over all its connections."""

    def __init__(
        self, installation: Installation, gateway: Gateway, engines: dict[str, ScriptedTranslation]
    ) -> None:
        self.engines = engines
        self.parties: dict[str, Party] = {}
        self.told: dict[str, list[dict[str, Any]]] = {"customer": [], "agent": []}
        self._turns = 0
        request = {
            "mode": "bidirectional_translation",
            "source_language": "es",
            "target_language": "en",
            "translation": {"subtitles": False},
        }
        with gateway.client(installation.key) as client:
            answer = client.post("/v1/sessions", json=request)
        assert answer.status_code == 201, answer.text
        self.id: str = answer.json()["id"]

    def join(self, speaker: str, party: Party, sent: int = 0) -> Party:
        party.heard, party.sent = self.told[speaker], sent
        party.next("session.ready")
        self.parties[speaker] = party
        return party

    def until(self, party: str, kind: str, **fields: Any) -> dict[str, Any]:
        """The party's message with these fields, whether it has come already or comes now."""
        while True:
            for message in self.told[party]:
                if message["type"] == kind and fields.items() <= message.items():
                    return message
            self.parties[party].next(kind)

    def say(self, speaker: str, text: str) -> str:
        """Returns the segment's id, once every connected party has the words."""
        self.engines["transcriber"].words = (text, LANGUAGE[speaker])
        self._turns += 1
        party = self.parties[speaker]
        party._send(speech(1.5, seed=self._turns))
        party._send(silence(1.5))
        finals = [self.until(each, "transcript.final", text=text) for each in self.parties]
        assert {final["speaker"] for final in finals} == {speaker}
        return str(finals[0]["id"])

    def turn(self, speaker: str, text: str) -> str:
        """A turn that is translated, and heard to its end by the other party if that is here."""
        segment_id = self.say(speaker, text)
        for party in self.parties:
            self.until(party, "translation.final", segment_id=segment_id)
        listener = OTHER[speaker]
        if listener in self.parties:
            self.until(listener, "audio.output", segment_id=segment_id, last=True)
            time.sleep(0.6)  # the last 0.3 s are still being played
        return segment_id

    def read(self, party: str, kind: str) -> list[tuple[str, str]]:
        """The texts of all messages of a kind, with who said them."""
        return [(m["speaker"], m["text"]) for m in self.told[party] if m["type"] == kind]

    def tones(self, listener: str) -> dict[str, float]:
        """What was heard of each segment, in the order in which it began."""
        pieces: dict[str, list[Any]] = {}
        for message in self.told[listener]:
            if message["type"] == "audio.output":
                assert message["speaker"] == OTHER[listener]
                assert not message["original"]
                audio = message["audio"]
                samples = decode(base64.b64decode(audio["payload"]), audio["encoding"])
                pieces.setdefault(message["segment_id"], []).append(samples)
        return {segment: tone_in(np.concatenate(each), 8000) for segment, each in pieces.items()}

    def warnings(self, party: str) -> list[str]:
        return [m["code"] for m in self.told[party] if m["type"] == "session.warning"]


@pytest.mark.parametrize("how", ["told to stop", "killed"])
def test_ten_turns_survive_the_restart_of_a_gateway(installation, engines, how):
    here, there = installation.start("daphne"), installation.start("uvicorn")
    call = Call(installation, here, engines)
    ids: list[str] = []
    with connected(installation, here, call.id, "agent") as agent:
        call.join("agent", agent)
        with connected(installation, there, call.id, "customer") as customer:
            call.join("customer", customer)
            for turn in TURNS[:5]:
                ids.append(call.turn(*turn))
            if how == "told to stop":
                there.process.send_signal(signal.SIGTERM)
            else:
                customer.send(type="ping", timestamp_ms=1)  # who sends has received all before
                time.sleep(2.5)  # a heartbeat stores what the client was told
                there.process.kill()
            customer.closed()
            there.process.wait(60)
        del call.parties["customer"]
        ids.append(call.turn("agent", "Are you still there?"))  # not heard by the customer
        again = installation.start("uvicorn")
        with connected(installation, again, call.id, "customer") as returned:
            call.join("customer", returned, customer.sent)
            for turn in TURNS[5:]:
                ids.append(call.turn(*turn))
            agent.send(type="session.end")
            for party in call.parties:
                call.until(party, "session.ended")
                if how == "told to stop":
                    assert call.parties[party].closed() == 1000

    said = [*TURNS[:5], ("agent", "Are you still there?"), *TURNS[5:]]
    translations = [(speaker, translated(text, LANGUAGE[OTHER[speaker]])) for speaker, text in said]
    for party in ("customer", "agent"):
        assert call.read(party, "transcript.final") == said
        assert call.read(party, "translation.final") == translations
        assert call.warnings(party) == []
    stored = transcript(installation, here, call.id)
    if how == "told to stop":  # else once the clock process has ended the dead server's claims
        assert stored["status"] == "complete"
    assert [(each["speaker"], each["text"]) for each in stored["segments"]] == said
    assert [(each["speaker"], each["translation"]) for each in stored["segments"]] == translations
    assert not any(each["interrupted"] for each in stored["segments"])
    for listener in ("customer", "agent"):
        assert list(call.tones(listener).items()) == [
            (segment_id, tone_of(text))
            for segment_id, (speaker, text) in zip(ids, translations, strict=True)
            if speaker == OTHER[listener] and (listener, segment_id) != ("customer", ids[5])
        ]


@pytest.mark.parametrize("killed", ["translator", "synthesizer"])
def test_a_killed_engine_is_told_once_and_is_used_again_when_it_returns(
    installation, engines, killed
):
    here, there = installation.start("daphne"), installation.start("uvicorn")
    call = Call(installation, here, engines)
    code = {"translator": "translation_unavailable", "synthesizer": "speech_unavailable"}[killed]
    with (
        connected(installation, here, call.id, "agent") as agent,
        connected(installation, there, call.id, "customer") as customer,
    ):
        call.join("agent", agent)
        call.join("customer", customer)
        heard = {call.turn(*turn) for turn in TURNS[:2]}
        for outage in (1, 2):
            engines[killed].kill()
            for speaker, text in TURNS[2:6]:
                segment_id = call.say(speaker, f"{text[:-1]} {outage}.")
                for party in call.parties:
                    kind = "failed" if killed == "translator" else "final"
                    call.until(party, f"translation.{kind}", segment_id=segment_id)
                time.sleep(1.5)  # the next words would interrupt this speech before it fails
            for party in call.parties:
                call.until(party, "session.warning", code=code)
            engines[killed].revive()
            returned = time.monotonic()
            heard |= {call.turn(speaker, f"{text[:-1]} {outage}.") for speaker, text in TURNS[6:8]}
            assert time.monotonic() - returned < 10 * 2  # each is back within 10 s
            for party in call.parties:
                assert call.warnings(party) == [code] * outage
    assert heard == {*call.tones("agent"), *call.tones("customer")}
    stored = transcript(installation, here, call.id)["segments"]
    translations = [each["translation"] for each in stored]
    assert len(translations) == 2 + 2 * (4 + 2)
    assert translations.count(None) == (8 if killed == "translator" else 0)
