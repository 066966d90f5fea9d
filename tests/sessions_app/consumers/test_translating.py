"""Two parties with two languages: what each of them hears and reads."""

import asyncio
import base64

import numpy as np
import pytest
from channels.db import database_sync_to_async

from sessions_app import runtime
from sessions_app.engines.base import EngineUnavailable, SpeechAudio, Synthesizer
from sessions_app.media import decode
from sessions_app.models import Segment, Session
from tests.factories import SessionFactory
from tests.fakes.audio import silence, speech
from tests.fakes.engines import FakeTranslator, heard
from tests.fakes.sockets import StreamClient
from tests.fakes.telnyx import TelnyxClient
from tests.fakes.twilio import STREAM_SID, TwilioClient

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("gateway", "event_loop_never_blocks"),
]

in_db = database_sync_to_async


class Voices(Synthesizer):
    """Speaks 0.3 s for each word."""

    name = "voices"
    languages = frozenset({"en", "es", "de"})
    attempts = 1

    def __init__(self):
        self.asked = []
        self.errors = []

    async def _synthesize(self, text, language, voice):
        self.asked.append((text, language, voice))
        if self.errors:
            raise self.errors.pop()
        for _ in text.split():
            yield SpeechAudio(np.full(2400, 1000, np.int16), 8000)


@pytest.fixture
def translator():
    return FakeTranslator(known={("en", "es"), ("es", "en")})


@pytest.fixture
def voices():
    return Voices()


@pytest.fixture
async def gateway(engine, translator, voices, settings, monkeypatch):
    monkeypatch.setattr(runtime, "_runtime", None)
    settings.DRAIN_TIMEOUT = 5.0
    gateway = runtime.use(engine, translator, voices)
    yield gateway
    await gateway.drain()
    await gateway.close()


def bidirectional(cast, **fields):
    values = {"source_language": "es", "target_language": "en"} | fields
    mode = Session.Mode.BIDIRECTIONAL_TRANSLATION
    return SessionFactory(organization=cast.organization, mode=mode, **values)


@pytest.fixture
def session(cast):
    return bidirectional(cast)


@pytest.fixture
def recorded(cast, tapes):
    return bidirectional(cast, recording_enabled=True, recording_channels="dual")


def made_speech(tapes, listener):
    """What was recorded of the speech that ``listener`` heard, by generation of its track."""
    return [tape for tape in tapes if tape.context.made_speech and tape.context.speaker == listener]


async def speak(client, seconds=1.0, pause=1.2):
    """An utterance, at the pace of a call: the clocks here are real."""
    spoken = np.concatenate([speech(seconds), silence(pause)])
    for start in range(0, len(spoken), 800):
        client.send_audio(spoken[start : start + 800])
        await asyncio.sleep(0.1)


def hears(text, language):
    """Whatever is said next, in partials as well."""
    return lambda request: heard(text, language)


@database_sync_to_async
def segments(**fields):
    return list(Segment.objects.filter(**fields).order_by("sequence"))


async def ready(*clients):
    for client in clients:
        await client.next("session.ready")


def spoken_seconds(client, **fields):
    """Seconds of speech that the client was sent."""
    outputs = [
        each
        for each in client.heard
        if each["type"] == "audio.output" and fields.items() <= each.items()
    ]
    return sum(len(base64.b64decode(each["audio"]["payload"])) for each in outputs) / 8000


async def test_each_party_hears_the_other_in_its_own_language(engine, voices, session):
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        engine.answer = hears("Hola buenos días.", "es")
        await speak(customer)
        final = await agent.next("transcript.final")
        translation = await agent.next("translation.final")
        assert translation == {
            "type": "translation.final",
            "session_id": session.id,
            "segment_id": final["id"],
            "speaker": "customer",
            "language": "en",
            "text": "[en] Hola buenos días.",
        }
        while not (output := await agent.next("audio.output"))["last"]:
            assert output["segment_id"] == final["id"]
            assert output["speaker"] == "customer"
            assert output["original"] is False
        engine.answer = hears("Hello.", "en")
        await speak(agent)
        while not (await customer.next("audio.output"))["last"]:
            pass
        assert [each["text"] for each in customer.heard if each["type"] == "translation.final"] == [
            "[en] Hola buenos días.",
            "[es] Hello.",
        ]
    assert [(text, language) for text, language, _ in voices.asked] == [
        ("[en] Hola buenos días.", "en"),
        ("[es] Hello.", "es"),
    ]
    assert spoken_seconds(agent, speaker="customer") == pytest.approx(1.2, abs=0.01)
    assert spoken_seconds(agent, speaker="agent") == 0
    assert spoken_seconds(customer, speaker="customer") == 0
    assert spoken_seconds(customer, speaker="agent") == pytest.approx(0.6, abs=0.01)
    stored = await segments()
    assert [(each.translation, each.translation_language) for each in stored] == [
        ("[en] Hola buenos días.", "en"),
        ("[es] Hello.", "es"),
    ]


async def test_a_silent_listener_reads_and_hears_nothing(engine, session):
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
        StreamClient(session, speaker="none") as listener,
    ):
        await ready(customer, agent, listener)
        engine.answer = hears("Hola.", "es")
        await speak(customer)
        await listener.next("translation.final")
        while not (await agent.next("audio.output"))["last"]:
            pass
        await listener.ping()
    assert "audio.output" not in {each["type"] for each in listener.heard}


async def test_no_speech_is_made_for_a_party_that_is_not_connected(engine, voices, session):
    async with StreamClient(session, speaker="customer") as customer:
        await ready(customer)
        engine.answer = hears("Hola.", "es")
        await speak(customer)
        await customer.next("translation.final")
        async with StreamClient(session, speaker="agent") as agent:
            await ready(agent)
            engine.answer = hears("Otra vez.", "es")
            await speak(customer)
            while not (await agent.next("audio.output"))["last"]:
                pass
    assert [text for text, _, _ in voices.asked] == ["[en] Otra vez."]


async def test_words_in_the_listener_s_language_are_passed_on(engine, cast, voices):
    """The customer's language is not named: only the final shows that it needs no translation."""
    session = await in_db(bidirectional)(cast, source_language=None)
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        engine.answer = hears("Good morning.", "en")
        await speak(customer)
        while not (output := await agent.next("audio.output"))["last"]:
            assert output["original"] is True
        assert spoken_seconds(agent) == pytest.approx(1.1, abs=0.3)
        # From now on it is known, and heard while it is being said.
        engine.answer = hears("How are you?", "en")
        speaking = asyncio.create_task(speak(customer, seconds=2.0))
        live = await agent.next("audio.output")
        assert (live["segment_id"], live["original"]) == (None, True)
        assert not speaking.done()
        await speaking
    assert voices.asked == []
    assert not await in_db(Segment.objects.filter(translation__isnull=False).exists)()


async def test_until_the_listener_s_language_is_known_the_voice_is_passed_on(engine, cast):
    session = await in_db(bidirectional)(cast, target_language=None)
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        engine.answer = hears("Hola.", "es")
        await speak(customer)
        live = await agent.next("audio.output")
        assert live["original"] is True
        engine.answer = hears("Hello there.", "en")
        await speak(agent)
        while not (await customer.next("audio.output"))["last"]:
            pass
        engine.answer = hears("Gracias.", "es")
        await speak(customer)
        assert (await agent.next("translation.final"))["text"] in (
            "[es] Hello there.",
            "[en] Gracias.",
        )


async def test_in_assistive_mode_the_agent_hears_the_original_and_reads(engine, cast, voices):
    session = await in_db(bidirectional)(cast)
    await in_db(Session.objects.update)(mode=Session.Mode.ASSISTIVE_TRANSLATION)
    await in_db(session.refresh_from_db)()
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        engine.answer = hears("Hola.", "es")
        await speak(customer)
        await agent.next("translation.final")
        engine.answer = hears("Hello.", "en")
        await speak(agent)
        while not (await customer.next("audio.output"))["last"]:
            pass
        await agent.ping()
    assert spoken_seconds(agent, original=True) == pytest.approx(2.2, abs=0.1)
    assert spoken_seconds(agent, original=False) == 0
    assert spoken_seconds(customer, original=True) == 0
    assert [text for text, _, _ in voices.asked] == ["[es] Hello."]


async def test_the_listener_s_voice_stops_the_speech(engine, recorded, tapes):
    async with (
        StreamClient(recorded, speaker="customer") as customer,
        StreamClient(recorded, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        engine.answer = hears("una frase muy larga " * 8, "es")
        await speak(customer)
        first = await agent.next("audio.output")
        engine.answer = hears("Sorry?", "en")
        await speak(agent, seconds=0.8)
        clear = await agent.next("audio.clear")
        assert (clear["segment_id"], clear["reason"]) == (first["segment_id"], "barge_in")
        await asyncio.sleep(0.3)
    assert spoken_seconds(agent, speaker="customer") < 3.0
    [stored] = await segments(speaker="customer")
    assert stored.interrupted
    assert stored.translation
    [tape] = made_speech(tapes, "agent")
    assert {frame.segment_id for frame in tape.frames} >= {stored.id}
    assert 0 < tape.seconds <= spoken_seconds(agent) + 0.01


async def test_an_engine_that_is_down_is_told_once_and_the_call_goes_on(engine, translator, cast):
    session = await in_db(bidirectional)(cast, subtitles=False)
    translator.errors.extend([EngineUnavailable("down")] * 2)
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        for text in ("Uno.", "Dos.", "Tres."):
            engine.answer = hears(text, "es")
            await speak(customer)
        assert (await agent.next("translation.final"))["text"] == "[en] Tres."
    failed = [each for each in agent.heard if each["type"] == "translation.failed"]
    finals = [each for each in agent.heard if each["type"] == "transcript.final"]
    assert [each["segment_id"] for each in failed] == [each["id"] for each in finals[:2]]
    warned = [each["code"] for each in agent.heard if each["type"] == "session.warning"]
    assert warned == ["translation_unavailable"]


async def test_a_client_that_comes_back_is_sent_the_translations_it_missed(
    engine, translator, recorded, tapes
):
    session = recorded
    async with StreamClient(session, speaker="customer") as customer:
        async with StreamClient(session, speaker="agent") as agent:
            await ready(customer, agent)
            engine.answer = hears("Uno.", "es")
            await speak(customer)
            await agent.next("translation.final")
            agent.send_audio(silence(0.1))
            await agent.ping()
        translator.hold()
        engine.answer = hears("Dos.", "es")
        await speak(customer)
        await customer.next("transcript.final")
        async with StreamClient(session, speaker="agent") as agent:
            await ready(agent)
            assert (await agent.next("transcript.final"))["text"] == "Dos."
            translator.release()
            assert (await agent.next("translation.final"))["text"] == "[en] Dos."
            await agent.ping()
        texts = [each["text"] for each in agent.heard if each["type"] == "translation.final"]
        assert texts == ["[en] Dos."]
    first, second = made_speech(tapes, "agent")
    assert (first.context.generation, second.context.generation) == (1, 2)
    assert first.closed


async def test_nothing_is_spoken_or_recorded_while_the_recording_is_paused(engine, recorded, tapes):
    session = recorded
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        engine.answer = hears("una frase muy larga " * 4, "es")
        await speak(customer)
        await agent.next("audio.output")
        customer.send(type="session.control", action="pause_recording")
        await agent.next("session.paused")
        await agent.ping()
        before = spoken_seconds(agent)
        await asyncio.sleep(0.6)
        await agent.ping()
        assert spoken_seconds(agent) == before
        customer.send(type="session.control", action="resume_recording")
        while not (await agent.next("audio.output"))["last"]:
            pass
    assert spoken_seconds(agent) == pytest.approx(0.3 * 17, abs=0.02)
    [tape] = made_speech(tapes, "agent")
    # What had been sent ahead was heard during the pause.
    assert 0 < tape.seconds < spoken_seconds(agent)
    paused = [b.start - a.end for a, b in zip(tape.frames, tape.frames[1:], strict=False)]
    assert max(paused) > 0.5


async def test_the_transcript_is_complete_only_with_its_translations(engine, translator, session):
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="none") as listener,
    ):
        await ready(customer, listener)
        translator.hold()
        engine.answer = hears("Adiós.", "es")
        await speak(customer)
        await listener.next("transcript.final")
        customer.send(type="session.end")
        await listener.next("session.ended")
        translator.release()
        assert (await listener.next("translation.final"))["text"] == "[en] Adiós."
        assert await listener.closed() == 1000
    [stored] = await segments()
    assert stored.translation == "[en] Adiós."


@pytest.mark.parametrize(("reason", "heard_to_its_end"), [("completed", True), ("error", False)])
async def test_a_call_that_completes_lets_a_sentence_be_finished(
    engine, recorded, tapes, reason, heard_to_its_end
):
    async with (
        StreamClient(recorded, speaker="customer") as customer,
        StreamClient(recorded, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        engine.answer = hears("Muchas gracias por todo.", "es")
        speaking = asyncio.create_task(speak(customer, seconds=0.6, pause=0.9))
        await agent.next("audio.output")
        agent.send(type="session.end", reason=reason)
        assert await agent.closed() == 1000
        await speaking
    outputs = [each for each in agent.heard if each["type"] == "audio.output"]
    assert outputs[-1]["last"] is heard_to_its_end
    cleared = [each["reason"] for each in agent.heard if each["type"] == "audio.clear"]
    assert cleared == ([] if heard_to_its_end else ["ended"])
    [tape] = made_speech(tapes, "agent")
    assert (tape.seconds == pytest.approx(spoken_seconds(agent), abs=0.01)) is heard_to_its_end


LONG_SPEECH = (
    "Buenos días, les llamo por la factura de este mes, porque es demasiado alta, y además no "
    "entiendo el primer importe, que nadie me ha explicado todavía."
)


def long_speech(request):
    """The customer says 2.5 words a second; the agent asks only one thing."""
    if request.language == "en":
        return heard("Sorry?", "en")
    return heard(" ".join(LONG_SPEECH.split()[: round(request.duration * 2.5)]), "es")


async def test_a_long_utterance_is_read_and_heard_while_its_speaker_goes_on(
    engine, translator, voices, cast
):
    """The client asked for no partials: they are used all the same, and not told."""
    session = await in_db(bidirectional)(cast, partials=False)
    engine.answer = long_speech
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        speaking = asyncio.create_task(speak(customer, seconds=10.0))
        subtitle = await agent.next("translation.partial")
        assert subtitle["text"].startswith("[en] Buenos días,")
        first = await agent.next("audio.output")
        assert first["segment_id"] == subtitle["segment_id"]
        assert not speaking.done()
        await speaking
        final = await agent.next("transcript.final")
        assert (await agent.next("translation.final"))["text"] == f"[en] {final['text']}"
        while not (await agent.next("audio.output"))["last"]:
            pass
        await agent.ping()
    assert {each["type"] for each in agent.heard}.isdisjoint({"transcript.partial"})
    outputs = [each for each in agent.heard if each["type"] == "audio.output"]
    assert {each["segment_id"] for each in outputs} == {final["id"]}
    assert [each["last"] for each in outputs].count(True) == 1
    spoken = [text for text, _, _ in voices.asked]
    assert len(spoken) >= 2
    assert all(text.startswith("[en] ") for text in spoken)
    assert " ".join(text.removeprefix("[en] ") for text in spoken) == final["text"]
    [stored] = await segments()
    assert stored.translation == f"[en] {final['text']}"


async def test_a_long_utterance_that_is_interrupted_goes_on_with_its_next_clause(engine, session):
    """Its segment is stored only after the interruption."""
    engine.answer = long_speech
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        speaking = asyncio.create_task(speak(customer, seconds=10.0))
        first = await agent.next("audio.output")
        await speak(agent, seconds=0.6)
        assert (await agent.next("audio.clear"))["segment_id"] == first["segment_id"]
        assert not speaking.done()
        while not (output := await agent.next("audio.output"))["last"]:
            pass
        assert output["segment_id"] == first["segment_id"]
        await speaking
        segment = Segment.objects.filter(id=first["segment_id"], interrupted=True)
        async with asyncio.timeout(10):
            while not await in_db(segment.exists)():  # noqa: ASYNC110 - in the database
                await asyncio.sleep(0.1)


async def test_speech_comes_in_the_connection_s_own_encoding(engine, session):
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        agent.send(
            type="audio.start",
            audio={"encoding": "pcm_s16le", "sample_rate_hz": 16000, "channels": 1},
        )
        agent.send_bytes(silence(0.1, rate=16000).tobytes())
        engine.answer = hears("Hola.", "es")
        await speak(customer)
        output = await agent.next("audio.output")
        assert output["audio"]["encoding"] == "pcm_s16le"
        assert output["audio"]["sample_rate_hz"] == 16000
        samples = decode(base64.b64decode(output["audio"]["payload"]), "pcm_s16le")
        assert abs(int(samples[800]) - 1000) < 60


async def test_two_telephones_of_two_vendors_are_one_translated_call(engine, session):
    async with TwilioClient(session) as customer, TelnyxClient(session) as agent:
        customer.start(speaker="customer")
        agent.start(speaker="agent")
        agent.send_audio(silence(0.1))
        engine.answer = hears("Hola.", "es")
        await speak(customer)
        [segment] = await segments()
        assert (await agent.next())["event"] == "media"
        assert await agent.next() == {"event": "mark", "mark": {"name": f"{segment.id}:1"}}
        engine.answer = hears("a very long sentence " * 8, "en")
        await speak(agent)
        media = await customer.next()
        assert (media["event"], media["streamSid"]) == ("media", STREAM_SID)
        engine.answer = hears("Perdón.", "es")
        await speak(customer, seconds=0.8)
        while (message := await customer.next())["event"] != "clear":
            assert message["event"] in ("media", "mark")
        await customer.stop()
        await agent.stop()


@pytest.mark.parametrize("vendor", [TwilioClient, TelnyxClient])
async def test_interrupted_speech_is_recorded_as_far_as_a_vendor_has_played_it(
    engine, recorded, tapes, vendor
):
    async with (
        vendor(recorded) as agent,
        StreamClient(recorded, speaker="customer") as customer,
    ):
        agent.late = 1.0
        agent.start(speaker="agent")
        agent.send_audio(silence(0.1))
        await ready(customer)
        engine.answer = hears("una frase muy larga " * 8, "es")
        await speak(customer)
        await asyncio.sleep(1.0)
        engine.answer = hears("Sorry?", "en")
        await speak(agent, seconds=0.8)
        while (await agent.next())["event"] != "clear":
            pass
        played = agent.played_seconds
        await agent.stop()
    [tape] = made_speech(tapes, "agent")
    assert tape.seconds == pytest.approx(played, abs=0.3)
    assert played < agent.sent_seconds - 0.5


async def test_a_report_of_audio_that_was_not_sent_is_refused(engine, session):
    async with (
        StreamClient(session, speaker="customer") as customer,
        StreamClient(session, speaker="agent") as agent,
    ):
        await ready(customer, agent)
        engine.answer = hears("Hola.", "es")
        await speak(customer)
        output = await agent.next("audio.output")
        played = {"segment_id": output["segment_id"], "sequence": output["sequence"]}
        agent.send(type="audio.played", **played)
        agent.send(type="audio.played", **{**played, "sequence": 999})
        customer.send(type="audio.played", **played)
        for client in (agent, customer):
            error = (await client.next("session.error"))["error"]
            assert (error["code"], error["param"]) == ("invalid_field_value", "sequence")
        await agent.ping()
    assert len([each for each in agent.heard if each["type"] == "session.error"]) == 1
