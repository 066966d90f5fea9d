import numpy as np
import pytest

from sessions_app.engines import fallback
from sessions_app.engines.base import (
    EngineError,
    EngineMisconfigured,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
    TranscriptionRequest,
    TranslationRequest,
)
from sessions_app.engines.fallback import (
    COOLDOWN,
    FallbackSynthesizer,
    FallbackTranscriber,
    FallbackTranslator,
)
from tests.fakes.engines import FakeSynthesizer, FakeTranscriber, FakeTranslator

REQUEST = TranscriptionRequest(np.zeros(8000, np.int16), 8000)
GONE = EngineUnavailable("gone")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def say(chain: FallbackTranscriber) -> str:
    return (await chain.transcribe(REQUEST)).text


async def test_the_first_engine_answers_when_it_works() -> None:
    second = FakeTranscriber("second")
    assert await say(FallbackTranscriber([FakeTranscriber("first"), second])) == "first"
    assert second.requests == []


@pytest.mark.parametrize("error", [GONE, EngineTimeout("slow"), EngineRejected("too long")])
async def test_the_next_engine_answers_when_the_first_fails(error: EngineError) -> None:
    assert await say(FallbackTranscriber([FakeTranscriber(error), FakeTranscriber("b")])) == "b"


async def test_an_engine_that_hangs_leaves_time_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fallback, "HANG_TIMEOUT", 0.0)
    hanging = FakeTranscriber("never")
    hanging.hold()
    chain = FallbackTranscriber([hanging, FakeTranscriber("second")])
    nothing = TranscriptionRequest(np.zeros(0, np.int16), 8000)
    assert (await chain.transcribe(nothing)).text == "second"


async def test_the_last_error_is_raised_when_all_engines_fail() -> None:
    chain = FallbackTranscriber([FakeTranscriber(GONE), FakeTranscriber(EngineRejected("no"))])
    with pytest.raises(EngineRejected):
        await say(chain)


async def test_an_engine_that_fails_repeatedly_is_skipped_and_then_tried_again() -> None:
    clock = Clock()
    first = FakeTranscriber(GONE, GONE, default="first again")
    chain = FallbackTranscriber([first, FakeTranscriber(default="second")], clock)
    assert [await say(chain) for _ in range(4)] == ["second"] * 4
    assert len(first.requests) == 2
    clock.now += COOLDOWN
    assert await say(chain) == "first again"


async def test_when_all_breakers_are_open_the_first_engine_is_asked() -> None:
    first = FakeTranscriber(GONE, GONE, default="back")
    chain = FallbackTranscriber([first, FakeTranscriber(GONE, GONE, default=GONE)], Clock())
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await say(chain)
    assert await say(chain) == "back"


@pytest.mark.parametrize("wait", [0.0, COOLDOWN])
async def test_a_later_engine_that_comes_back_before_the_first_is_asked_at_once(wait) -> None:
    clock = Clock()
    first = FakeTranscriber(default=GONE)
    second = FakeTranscriber(GONE, GONE, default="back")
    chain = FallbackTranscriber([first, second], clock)
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await say(chain)
    clock.now += wait
    assert await say(chain) == "back"


async def test_when_all_engines_hang_a_request_waits_for_one_of_them() -> None:
    clock = Clock()
    hanging = [FakeTranscriber(default=EngineTimeout("slow")) for _ in range(3)]
    chain = FallbackTranscriber([*hanging], clock)
    for _ in range(4):
        with pytest.raises(EngineTimeout):
            await say(chain)
    assert [len(engine.requests) for engine in hanging] == [4, 2, 2]
    clock.now += COOLDOWN
    hanging[2].answer = lambda request: "back"
    assert await say(chain) == "back"


async def test_an_engine_that_is_down_is_asked_before_one_that_hangs() -> None:
    hanging = FakeTranscriber(default=EngineTimeout("slow"))
    chain = FallbackTranscriber([hanging, FakeTranscriber(GONE, GONE, default="back")], Clock())
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await say(chain)
    assert await say(chain) == "back"
    assert len(hanging.requests) == 2


async def test_an_engine_that_was_down_is_asked_when_the_key_of_the_other_is_refused() -> None:
    first = FakeTranscriber(GONE, GONE, default="back")
    second = FakeTranscriber("a", "b", default=EngineMisconfigured("key"))
    chain = FallbackTranscriber([first, second], Clock())
    assert [await say(chain) for _ in range(3)] == ["a", "b", "back"]


async def test_a_request_that_is_refused_does_not_go_to_an_engine_that_is_down() -> None:
    first = FakeTranscriber(GONE, GONE, default="back")
    second = FakeTranscriber("a", "b", default=EngineRejected("no"))
    chain = FallbackTranscriber([first, second], Clock())
    assert [await say(chain) for _ in range(2)] == ["a", "b"]
    with pytest.raises(EngineRejected):
        await say(chain)
    assert len(first.requests) == 2


async def test_a_rejected_request_does_not_open_the_breaker() -> None:
    first = FakeTranscriber(*[EngineRejected("no")] * 3, default="fine")
    chain = FallbackTranscriber([first, FakeTranscriber(default="second")], Clock())
    for _ in range(3):
        assert await say(chain) == "second"
    assert await say(chain) == "fine"


async def test_a_misconfigured_engine_is_left_out() -> None:
    class Broken(FakeTranscriber):
        async def start(self) -> None:
            raise EngineMisconfigured("no model")

    chain = FallbackTranscriber([Broken("never"), FakeTranscriber("second")])
    await chain.start()
    assert await say(chain) == "second"
    with pytest.raises(EngineMisconfigured, match="no model"):
        await FallbackTranscriber([Broken(), Broken()]).start()


class Prepared(FakeTranscriber):
    prepared = False

    async def prepare(self) -> None:
        self.prepared = True


class PreparedSynthesizer(FakeSynthesizer):
    prepared = False

    async def prepare(self) -> None:
        self.prepared = True


class PreparedTranslator(FakeTranslator):
    prepared = False

    async def prepare(self) -> None:
        self.prepared = True


async def test_preparing_a_chain_prepares_all_its_engines() -> None:
    transcribers = [Prepared(), Prepared()]
    synthesizers = [PreparedSynthesizer(), PreparedSynthesizer()]
    translators = [PreparedTranslator(), PreparedTranslator()]
    await FallbackTranscriber(list(transcribers)).prepare()
    await FallbackSynthesizer(list(synthesizers)).prepare()
    await FallbackTranslator(list(translators)).prepare()
    assert [engine.prepared for engine in transcribers] == [True, True]
    assert [engine.prepared for engine in synthesizers] == [True, True]
    assert [engine.prepared for engine in translators] == [True, True]


async def test_preparing_a_chain_fails_only_when_no_engine_can_be_prepared() -> None:
    class Unprepared(FakeTranscriber):
        async def prepare(self) -> None:
            raise EngineMisconfigured("no model")

    second = Prepared()
    await FallbackTranscriber([Unprepared(), second]).prepare()
    assert second.prepared
    with pytest.raises(EngineMisconfigured, match="no model; no model"):
        await FallbackTranscriber([Unprepared(), Unprepared()]).prepare()


async def test_the_languages_of_an_engine_that_is_left_out_are_not_offered() -> None:
    class Broken(FakeTranscriber):
        async def start(self) -> None:
            raise EngineMisconfigured("no model")

    broken = Broken()
    broken.languages = frozenset({"sw"})
    chain = FallbackTranscriber([broken, FakeTranscriber()])
    await chain.start()
    assert "sw" not in chain.languages


async def test_only_translators_that_support_the_pair_are_asked() -> None:
    german, spanish = FakeTranslator(known={("de", "en")}), FakeTranslator(known={("es", "en")})
    chain = FallbackTranslator([german, spanish])
    assert await chain.translate(TranslationRequest("hola", "es", "en")) == "[en] hola"
    assert german.texts == []
    assert chain.supports("de", "en")
    assert not chain.supports("en", "de")


HOLA = TranslationRequest("hola", "es", "en")


async def test_a_pair_that_fails_does_not_disable_the_other_pairs() -> None:
    first = FakeTranslator(GONE, GONE, name="first")
    chain = FallbackTranslator([first, FakeTranslator()], Clock())
    for _ in range(3):
        await chain.translate(HOLA)
    assert len(first.requests) == 2
    await chain.translate(TranslationRequest("hello", "en", "es"))
    assert first.requests[-1].text == "hello"


async def test_the_only_engine_for_a_pair_is_asked_although_it_failed_before() -> None:
    german = FakeTranslator(known={("de", "en")})
    spanish = FakeTranslator(GONE, GONE, known={("es", "en")})
    chain = FallbackTranslator([german, spanish], Clock())
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="gone"):
            await chain.translate(HOLA)
    assert await chain.translate(HOLA) == "[en] hola"


async def test_a_translator_that_hangs_leaves_time_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fallback, "TRANSLATION_TIMEOUT", 0.0)
    hanging = FakeTranslator()
    hanging.hold()
    assert await FallbackTranslator([hanging, FakeTranslator()]).translate(HOLA) == "[en] hola"


async def test_english_is_wanted_if_one_engine_for_the_pair_uses_it() -> None:
    english = {("es", "en")}
    chain = FallbackTranslator([FakeTranslator(), FakeTranslator(english=english)])
    assert chain.wants_english("es", "en")
    assert not chain.wants_english("en", "es")


async def test_a_misconfigured_engine_is_used_once_it_starts() -> None:
    class Late(FakeTranslator):
        installed = False

        async def start(self) -> None:
            if not self.installed:
                raise EngineMisconfigured("no model")

    late = Late(known={("de", "en")})
    chain = FallbackTranslator([late, FakeTranslator()])
    await chain.start()
    assert not chain.supports("de", "en")
    late.installed = True
    await chain.start()
    assert chain.supports("de", "en")


async def test_only_synthesizers_that_speak_the_language_are_asked() -> None:
    english = FakeSynthesizer(languages=frozenset({"en"}))
    spanish = FakeSynthesizer(languages=frozenset({"es"}))
    chain = FallbackSynthesizer([english, spanish])
    assert (await chain.synthesize("hola a todos", "es-MX")).duration == pytest.approx(0.15)
    assert english.texts == []


async def test_the_next_synthesizer_speaks_when_the_first_fails_before_any_audio() -> None:
    chain = FallbackSynthesizer([FakeSynthesizer(GONE), FakeSynthesizer()])
    assert (await chain.synthesize("hello", "en")).duration == pytest.approx(0.05)
