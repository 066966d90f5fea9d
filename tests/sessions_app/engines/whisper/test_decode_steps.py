"""How many tokens are computed for an utterance: bounds on time that hold on every machine."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sessions_app.engines.whisper.chunks import WINDOW, Chunk, Decoded
from sessions_app.engines.whisper.decoder import Decoder
from sessions_app.engines.whisper.second_decoding import improve

LOOP = "and then "
SPEECH = "My number is four two"


class ScriptedModel:
    """Computes the tokens of one text, letter by letter, as CTranslate2 does.

    Its result and its limit include the letters that the prompt gives, whose probability counts as
    1. What comes after these is never the end: a text that is given whole is said once more.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0

    def generate(
        self, encoded: Any, prompts: Sequence[list[int]], *, max_length: int, **options: Any
    ) -> list[Any]:
        results = []
        for prompt in prompts:
            given = [token for token in prompt if token < 10_000]
            limit = min(max_length // 2, max_length - (len(prompt) - len(given) - 1))
            text = 2 * self.text if len(given) == len(self.text) else self.text
            tokens = [ord(each) for each in text[:limit]]
            assert tokens[: len(given)] == given
            self.steps += len(tokens)
            score = -0.5 * (len(tokens) - len(given)) / len(tokens)
            results.append(
                SimpleNamespace(sequences_ids=[tokens], scores=[score], no_speech_prob=0.0)
            )
        return results


def decoder_of(model: ScriptedModel) -> Decoder:
    decoder = object.__new__(Decoder)
    decoder._model = model
    decoder._beam = 5
    decoder.tokenizer = SimpleNamespace(decode=lambda tokens: "".join(map(chr, tokens)))
    decoder.rows = lambda encoded, rows: encoded  # type: ignore[method-assign]
    return decoder


def test_a_loop_stops_at_the_usual_length() -> None:
    model = ScriptedModel(LOOP * 40)
    [decoded] = decoder_of(model).generate(None, [[10_000]], 60, 224, greedy=True)
    assert model.steps == 60
    assert decoded.steps == 60
    assert decoded.cut_off


def test_a_loop_that_begins_late_stops_soon_after_it_began() -> None:
    model = ScriptedModel("The customer has called about the parcel; " + "no way " * 40)
    decoder_of(model).generate(None, [[10_000]], 40, 224, greedy=True)
    assert model.steps <= 40 + 80


@pytest.mark.parametrize("usual", [1, 20, 64, 65, 66])
def test_a_long_text_that_does_not_repeat_itself_goes_on_to_its_end(usual: int) -> None:
    text = "The quick brown fox jumps over a lazy dog while five wizards box."
    assert len(text) == 65
    [decoded] = decoder_of(ScriptedModel(text)).generate(None, [[10_000]], usual, 224, greedy=True)
    assert decoded.text == text
    assert not decoded.cut_off
    assert decoded.log_probability == pytest.approx(-0.5 * len(text) / (len(text) + 1), abs=0.02)


def test_a_long_prompt_leaves_the_text_its_tokens() -> None:
    text = "The quick brown fox jumps over a lazy dog."
    prompt = [10_000] * 120
    [decoded] = decoder_of(ScriptedModel(text)).generate(None, [prompt], 70, 70, greedy=True)
    assert decoded.text == text


def test_each_hypothesis_of_the_beam_counts() -> None:
    [decoded] = decoder_of(ScriptedModel("Good.")).generate(None, [[10_000]], 60, 60, greedy=False)
    assert decoded.steps == 5 * 6  # the text and its end


# --- second decodings -------------------------------------------------------------------------


class ScriptedDecoder:
    """Answers with scripted texts, in order, and remembers what was asked."""

    dots = (7,)

    def __init__(self, *texts: str, log_probability: float = -0.3) -> None:
        self._texts = list(texts)
        self._log_probability = log_probability
        self.asked: list[dict[str, Any]] = []
        self.encoded: list[float] = []

    def encode(self, chunks: Sequence[Chunk], window: float) -> str:
        self.encoded.append(window)
        return "full"

    def prompt(self, chunk: Chunk) -> list[int]:
        return [1] * len(chunk.prompt)

    def generate(
        self, encoded: Any, prompts: Any, usual: int, limit: int, **options: Any
    ) -> list[Decoded]:
        self.asked.append({"encoded": encoded, "limit": limit, "prompts": prompts, **options})
        text = self._texts.pop(0)
        return [Decoded(text, self._log_probability, 0.0, False, steps=len(text))]


def chunk(seconds: float = 4.0, **values: Any) -> Chunk:
    audio = np.zeros(int(16_000 * seconds), np.float32)
    given = {"prompt": "", "partial": False, **values}
    made = Chunk(0, audio, seconds, 1.0, "en", english=False, greedy=False, **given)
    made.encoded = lambda: "short"
    return made


def decoded(text: str, log_probability: float = -0.3) -> Decoded:
    return Decoded(text, log_probability, 0.0, False)


def second(
    decoder: ScriptedDecoder, first: Decoded, each: Chunk | None = None, *, hurried: bool = False
) -> Decoded:
    return improve(decoder, each or chunk(), first, lambda: hurried)  # type: ignore[arg-type]


def test_a_good_text_is_not_decoded_again() -> None:
    decoder = ScriptedDecoder()
    assert second(decoder, decoded(SPEECH)).redone == ""
    assert decoder.asked == []


def test_a_loop_is_decoded_again_greedily_and_without_encoding() -> None:
    decoder, each = ScriptedDecoder(SPEECH), chunk()
    result = second(decoder, decoded(LOOP * 9), each)
    assert (result.text, result.redone) == (SPEECH, "loop")
    assert decoder.encoded == []
    [asked] = decoder.asked
    assert asked["greedy"]
    assert asked["encoded"] == "short"
    assert asked["limit"] == each.token_limit
    assert each.more_steps == len(SPEECH)


def test_the_full_window_is_for_a_loop_that_stays() -> None:
    decoder = ScriptedDecoder(LOOP * 8, SPEECH)
    assert second(decoder, decoded(LOOP * 9)).text == SPEECH
    assert decoder.encoded == [WINDOW]
    assert [asked["encoded"] for asked in decoder.asked] == ["short", "full"]


def test_the_full_window_is_given_up_while_another_call_waits() -> None:
    decoder = ScriptedDecoder(LOOP * 8)
    assert second(decoder, decoded(LOOP * 9), hurried=True).redone == "loop"
    assert decoder.encoded == []
    decoder = ScriptedDecoder("My number is...")
    assert second(decoder, decoded("My number..."), hurried=True).text == "My number is..."
    assert decoder.encoded == []


def test_words_that_are_hard_to_hear_are_not_decoded_again() -> None:
    decoder = ScriptedDecoder()
    assert second(decoder, decoded(SPEECH, -1.3)).text == SPEECH
    assert decoder.asked == []


def test_an_unlikely_text_is_compared_with_one_without_the_prompt() -> None:
    decoder = ScriptedDecoder("My number is 42.", log_probability=-0.4)
    result = second(decoder, decoded(SPEECH, -1.3), chunk(prompt="Kallglot"))
    assert result.text == "My number is 42."
    assert decoder.asked[0]["prompts"] == [[]]
    decoder = ScriptedDecoder("Mine umber.", log_probability=-1.9)
    assert second(decoder, decoded(SPEECH, -1.3), chunk(prompt="Kallglot")).text == SPEECH


def test_a_partial_is_never_decoded_again() -> None:
    decoder = ScriptedDecoder()
    second(decoder, decoded(LOOP * 9), chunk(partial=True))
    assert decoder.asked == []


def test_no_second_decoding_takes_more_tokens_than_the_speech_can_have() -> None:
    for seconds in (0.5, 2.0, 10.0, 28.0):
        each = chunk(seconds)
        assert each.usual_tokens <= 12 + 5 * seconds
        assert each.usual_tokens <= each.token_limit <= min(224, 16 + 15 * seconds)
