"""What one party says, translated for the other: early, whole, in order, and never twice."""

import asyncio

import pytest

from sessions_app.engines.base import EngineUnavailable
from sessions_app.engines.fallback import FallbackTranslator
from sessions_app.engines.pivot import PivotTranslator
from sessions_app.engines.translators.whisper import WhisperTranslator
from sessions_app.live_events import (
    FinalTranscript,
    PartialTranscript,
    SpokenEvent,
    TranslationFailed,
    TranslationFinal,
    TranslationPartial,
    WordsToSpeak,
)
from sessions_app.streaming.speaking.conversation import Conversation
from sessions_app.streaming.speaking.interpreter import Interpreter
from tests.fakes.clock import settle
from tests.fakes.engines import FakeTranslator

SAID = (
    "Good morning, I am calling about the invoice of this month, because it is far too high, and "
    "nobody told me about the new price."
)
CLAUSES = [
    "Good morning, I am calling about the invoice of this month,",
    "because it is far too high,",
    "and nobody told me about the new price.",
]


class Party:
    """The agent of a call, who speaks English to a customer who speaks Spanish."""

    def __init__(self, translator=None, *, agent="en", customer="es", **options):
        self.translator = translator or FakeTranslator()
        self.told: list[SpokenEvent] = []
        self.stored: list[TranslationFinal] = []
        self.conversation = Conversation(customer=customer, agent=agent)
        values = {"speaks": True, "passes_on": True, "subtitles": False} | options
        self.interpreter = Interpreter(
            "agent",
            conversation=self.conversation,
            translator=self.translator,
            glossary={},
            tell=self.told.append,
            store=self.stored.append,
            now=lambda: 10.0,
            **values,
        )

    async def say(self, text, end=8.0, segment="seg_1", language="en", start=0.0):
        """A partial."""
        self.interpreter.hear_partial(
            PartialTranscript(segment, "agent", language, text, start, start + end)
        )
        await settle()

    async def grow(self, text, segment="seg_1", start=0.0, last=None):
        """Partials of a growing text, three words a second."""
        words = text.split()
        for count in range(3, last or len(words), 3):
            await self.say(" ".join(words[:count]), count / 1.5, segment, start=start)

    async def end(self, text, segment="seg_1", language="en", english=None, start=0.0):
        self.interpreter.hear(
            FinalTranscript(
                segment, "agent", language, text, start, start + 20.0, 0.9, english=english
            ),
            None,
        )
        await self.interpreter.finish()

    def of(self, kind):
        return [each for each in self.told if isinstance(each, kind)]

    @property
    def spoken(self):
        return [(each.text, each.number, each.last) for each in self.of(WordsToSpeak)]

    @property
    def subtitles(self):
        return [each.text for each in self.of(TranslationPartial)]


@pytest.fixture
async def party():
    party = Party()
    yield party
    party.interpreter.close()


@pytest.fixture
async def reader():
    party = Party(subtitles=True, speaks=False)
    yield party
    party.interpreter.close()


# --- long speech ----------------------------------------------------------------------------


async def test_clauses_are_spoken_while_the_speaker_goes_on(party):
    await party.grow(SAID)
    assert party.spoken == [(f"[es] {CLAUSES[0]}", 0, False), (f"[es] {CLAUSES[1]}", 1, False)]
    assert party.stored == []
    await party.end(SAID)
    assert party.spoken[2:] == [(f"[es] {CLAUSES[2]}", 2, True)]
    assert [each.text for each in party.stored] == [f"[es] {SAID}"]
    assert {each.segment_id for each in party.of(WordsToSpeak)} == {"seg_1"}
    assert {each.language for each in party.of(WordsToSpeak)} == {"es"}


async def test_a_clause_ends_about_when_its_words_were_said(party):
    await party.grow(SAID, last=19)
    [clause] = party.of(WordsToSpeak)
    assert clause.end_time == pytest.approx(11 / 1.5, abs=0.7)


async def test_an_utterance_of_less_than_six_seconds_is_spoken_at_its_end(party):
    for count in range(3, 20, 3):
        await party.say(" ".join(SAID.split()[:count]), 5.9)
    assert party.spoken == []
    await party.end(SAID)
    assert party.spoken == [(f"[es] {SAID}", 0, True)]
    assert party.translator.texts == [SAID]


async def test_what_was_revised_after_it_was_spoken_is_not_said_again(party):
    await party.grow(SAID)
    await party.end(SAID.replace("the invoice of this month,", "this month's invoices"))
    assert party.spoken[-1] == (f"[es] {CLAUSES[2]}", 2, True)


async def test_a_segment_ends_even_if_nothing_is_left_to_say(party):
    await party.grow(SAID, last=19)
    assert party.spoken == [(f"[es] {CLAUSES[0]}", 0, False)]
    await party.end(CLAUSES[0])
    assert party.spoken[1:] == [("", 1, True)]
    assert [each.text for each in party.stored] == [f"[es] {CLAUSES[0]}"]


async def test_words_that_turn_out_to_be_none_end_the_speech(party):
    await party.grow(SAID, last=19)
    await party.say("", language=None)
    assert party.spoken[1:] == [("", 1, True)]


async def test_a_clause_that_is_not_translated_in_time_belongs_to_the_rest(party):
    party.translator.hold()
    await party.grow(SAID)
    ending = asyncio.create_task(party.end(SAID))
    await settle()
    party.translator.release()
    await ending
    assert party.spoken == [(f"[es] {SAID}", 0, True)]


async def test_a_clause_that_cannot_be_translated_is_tried_again(party):
    party.translator.errors.append(EngineUnavailable("down"))
    await party.grow(SAID)
    await party.end(SAID)
    assert party.translator.texts[:2] == [CLAUSES[0], CLAUSES[0]]
    assert [text for text, _, _ in party.spoken] == [f"[es] {each}" for each in CLAUSES]
    assert party.of(TranslationFailed) == []


async def test_speech_that_has_begun_ends_when_the_engine_is_down(party):
    await party.grow(SAID)
    party.translator.errors.extend([EngineUnavailable("down")] * 2)
    await party.end(SAID)
    assert party.spoken[-1] == ("", 2, True)
    assert len(party.of(TranslationFailed)) == 1


async def test_utterances_stay_in_their_order(party):
    """The second goes on where the first was cut because of its length."""
    await party.grow(SAID)
    party.translator.hold()
    ending = asyncio.create_task(party.end(SAID))
    await settle()
    await party.grow(SAID, segment="seg_2", start=28.0)
    party.translator.release()
    await ending
    await party.grow(SAID + " So please help me.", segment="seg_2", start=28.0)
    await party.end(SAID, segment="seg_2", start=28.0)
    order = [(each.segment_id, each.number) for each in party.of(WordsToSpeak)]
    assert order == sorted(order)
    assert [each.segment_id for each in party.of(WordsToSpeak) if each.last] == ["seg_1", "seg_2"]
    assert [each.segment_id for each in party.stored] == ["seg_1", "seg_2"]


async def test_the_translator_is_told_what_was_said_of_the_same_utterance(party):
    await party.grow(SAID)
    await party.end(SAID)
    by_text = {each.text: each for each in party.translator.requests}
    assert by_text[CLAUSES[0]].context == ()
    assert by_text[CLAUSES[1]].context == (CLAUSES[0],)
    assert by_text[CLAUSES[2]].context == (f"{CLAUSES[0]} {CLAUSES[1]}",)
    assert by_text[SAID].context == ()


@pytest.mark.parametrize("languages", [{"agent": None}, {"customer": None}, {"customer": "en"}])
async def test_nothing_is_spoken_early_before_both_languages_are_known_and_differ(languages):
    party = Party(subtitles=True, **languages)
    assert not party.interpreter.wants_partials
    await party.grow(SAID)
    assert party.told == []
    assert party.translator.requests == []


async def test_words_in_another_language_than_the_party_s_wait_for_the_final(party):
    words = SAID.split()
    for count in range(3, len(words), 3):
        await party.say(" ".join(words[:count]), count / 1.5, language="de")
    assert party.told == []


async def test_a_party_that_is_only_read_is_not_spoken_for():
    party = Party(speaks=False)
    assert not party.interpreter.wants_partials
    await party.grow(SAID)
    await party.end(SAID)
    assert party.spoken == []
    assert len(party.stored) == 1


async def test_the_english_of_the_recognizer_is_stored_and_the_clauses_are_translated_as_text():
    translator = PivotTranslator(
        FallbackTranslator([WhisperTranslator(), FakeTranslator(known={("es", "en")})])
    )
    party = Party(translator, agent="es", customer="en")
    assert party.interpreter.wants_partials
    said = "Buenos días, llamo por la factura de este mes, porque es muy alta y no la entiendo."
    words = said.split()
    for count in range(3, len(words), 2):
        await party.say(" ".join(words[:count]), count / 1.5, language="es")
    await party.end(said, language="es", english="Good morning, it is about the bill.")
    texts = [text for text, _, _ in party.spoken]
    assert len(texts) >= 2
    assert " ".join(text.removeprefix("[en] ") for text in texts) == said
    assert [each.text for each in party.stored] == ["Good morning, it is about the bill."]


async def test_with_the_recognizer_s_english_alone_nothing_is_translated_early():
    party = Party(PivotTranslator(WhisperTranslator()), agent="es", customer="en", subtitles=True)
    assert not party.interpreter.wants_partials
    words = SAID.split()
    for count in range(3, len(words), 3):
        await party.say(" ".join(words[:count]), count / 1.5, language="es")
    assert party.told == []


def test_text_is_translated_over_a_third_language_unless_a_part_of_the_way_needs_speech():
    text = FakeTranslator(known={("en", "fr")})
    chain = PivotTranslator(FallbackTranslator([WhisperTranslator(), text]))
    assert chain.supports("es", "fr")
    assert not chain.translates_text("es", "fr")
    both = PivotTranslator(FakeTranslator(known={("es", "en"), ("en", "fr")}))
    assert both.translates_text("es", "fr")


# --- subtitles ------------------------------------------------------------------------------


async def test_subtitles_grow_by_the_words_that_are_certain(reader):
    await reader.say("Good morning I")
    await reader.say("Good morning, I am calling")
    await reader.say("Good morning, I am called about")
    await reader.say("Good morning, I am called about the bill.")
    assert reader.subtitles == [
        "[es] Good morning, I",
        "[es] Good morning, I am",
        "[es] Good morning, I am called about",
    ]
    await reader.end("Good morning, I am called about the bill.")
    assert len(reader.subtitles) == 3
    assert [each.text for each in reader.stored] == [
        "[es] Good morning, I am called about the bill."
    ]


async def test_subtitles_are_never_made_shorter(reader):
    await reader.say("Good morning to you")
    await reader.say("Good morning to you all")
    await reader.say("Good evening to you all")
    await reader.say("Good morning to you all")
    await reader.say("Good morning to you all together")
    assert reader.subtitles == ["[es] Good morning to you", "[es] Good morning to you all"]


async def test_the_newest_partial_replaces_the_one_that_waits(reader):
    reader.translator.hold()
    await reader.say("Good")
    await reader.say("Good morning")
    await reader.say("Good morning to")
    assert reader.translator.texts == ["Good"]
    reader.translator.release()
    await settle()
    assert reader.translator.texts == ["Good", "Good morning to"]


async def test_subtitles_do_not_delay_a_final(reader):
    reader.translator.hold()
    await reader.say("Good morning to you")
    ending = asyncio.create_task(reader.end("Good morning to you."))
    await settle()
    await reader.say("I would", segment="seg_2")
    await reader.say("I would like", segment="seg_2")
    assert reader.translator.texts == ["Good morning to you", "Good morning to you."]
    reader.translator.release()
    await ending
    assert reader.subtitles == []
    await reader.say("I would like to", segment="seg_2")
    assert reader.translator.texts[2:] == ["I would like to"]


async def test_the_subtitles_of_no_words_disappear(reader):
    await reader.say("Thank you")
    await reader.say("Thank you for")
    await reader.say("", language=None)
    assert reader.subtitles == ["[es] Thank you", ""]
    await reader.say("", segment="seg_2", language=None)
    assert reader.subtitles == ["[es] Thank you", ""]


async def test_a_failure_leaves_the_subtitles_as_they_are(reader):
    await reader.say("Good morning to")
    await reader.say("Good morning to you")
    reader.translator.errors.append(EngineUnavailable("down"))
    await reader.say("Good morning to you all")
    await reader.say("Good morning to you all of")
    assert reader.subtitles == ["[es] Good morning to", "[es] Good morning to you"]
    assert reader.of(TranslationFailed) == []
