import pytest

from sessions_app.engines.whisper import hallucinations
from sessions_app.engines.whisper.hallucination_phrases import is_known_hallucination
from sessions_app.engines.whisper.hallucinations import Evidence


def evidence(
    speech: float = 2.0, log_probability: float = -0.3, no_speech: float = 0.1
) -> Evidence:
    return Evidence(speech, log_probability, no_speech)


@pytest.mark.parametrize(
    "text",
    [
        "no, no, no, no, I mean Thursday",
        "twenty-two, twenty-two, Baker Street",
        "five five five five five one two",
        "5, 5, 5, 5, 5, 5",
        "I said I said it twice",
        "it was a very very very good day",
    ],
)
def test_repetition_in_normal_speech_is_not_a_loop(text: str) -> None:
    assert hallucinations.redo_reason(text, -0.2, 5.0, 1.0, cut_off=False) == ""


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("the cat. the cat. the cat. the cat. the cat.", "the cat."),
        ("Hello, you you you you you you", "Hello, you"),
        ("I would like to, I would like to, I would like to, I would like to", "I would like to"),
        (
            "and that is what I was going to say and that is what I was going to say",
            "and that is what I was going to say",
        ),
    ],
)
def test_a_loop_is_detected_and_reduced_to_one_repetition(text: str, once: str) -> None:
    assert hallucinations.redo_reason(text, -0.2, 30.0, 1.0, cut_off=False) == "loop"
    assert hallucinations.remove_loops(text) == once


def test_a_loop_in_a_script_without_spaces_is_detected() -> None:
    assert hallucinations.redo_reason(
        "我想我想我想我想我想我想我想我想我想我想我想", -0.2, 30.0, 1.0, cut_off=False
    )


def test_more_words_than_anyone_can_say_are_decoded_again() -> None:
    text = "Pack my box with five dozen liquor jugs, and then judge how vexingly quick foxes jump."
    assert hallucinations.redo_reason(text, -0.2, 6.0, 1.0, cut_off=False) == ""
    assert hallucinations.redo_reason(text, -0.2, 1.0, 1.0, cut_off=False) == "rate"


def test_a_text_with_low_probability_is_decoded_again() -> None:
    assert hallucinations.redo_reason("Perhaps.", -1.4, 2.0, 1.0, cut_off=False) == "probability"


@pytest.mark.parametrize("text", ["The booking code is...", "The booking code is,", "Well…"])
def test_a_text_that_leaves_out_much_of_the_speech_is_decoded_again(text: str) -> None:
    assert hallucinations.redo_reason(text, -0.5, 6.0, 4.0, cut_off=False) == "breaks off"
    assert hallucinations.redo_reason(text, -0.5, 2.0, 0.7, cut_off=False) == ""


@pytest.mark.parametrize("text", ["It is 4, 1, 1, 1", "K L W A L S K I", "No."])
def test_slow_speech_with_its_text_is_not_decoded_again(text: str) -> None:
    assert hallucinations.redo_reason(text, -0.5, 6.0, 4.0, cut_off=False) == ""


def test_a_text_at_the_token_limit_is_decoded_again() -> None:
    assert hallucinations.redo_reason("And so on", -0.1, 2.0, 1.0, cut_off=True) == "length"


def test_speech_and_a_sure_decoder_are_strong_evidence() -> None:
    assert evidence().strong
    assert not evidence(speech=0.05).strong
    assert not evidence(log_probability=-0.9).strong


def test_an_unsure_text_without_speech_is_dropped() -> None:
    assert evidence(speech=0.05, log_probability=-0.8, no_speech=0.5).absent
    assert not evidence(speech=0.05, log_probability=-0.1).absent


# Decoded from short answers of real callers: speech seconds, log probability, no speech.
@pytest.mark.parametrize(
    ("text", "measured"),
    [
        ("Okay.", (0.096, -0.518, 0.444)),
        ("Yeah.", (0.096, -0.506, 0.130)),
        ("Yeah.", (0.032, -0.454, 0.137)),
        ("So.", (0.032, -0.931, 0.116)),
        ("ASK NOT!", (0.096, -0.683, 0.031)),
    ],
)
def test_a_short_answer_of_which_the_decoder_is_sure_is_kept(
    text: str, measured: tuple[float, float, float]
) -> None:
    assert not evidence(*measured).absent
    assert not hallucinations.is_hallucination(text, evidence(*measured))


# Decoded from synthesized sounds without speech.
@pytest.mark.parametrize(
    ("text", "measured"),
    [
        ("Hmm?", (0.064, -0.746, 0.255)),
        ("Huh?", (0.064, -0.735, 0.401)),
        ("Oh...", (0.224, -1.050, 0.364)),
        ("oh", (0.352, -0.745, 0.298)),
        ("A BEEP BEEP", (0.416, -1.515, 0.256)),
        ("Whoop.", (0.064, -1.088, 0.480)),
        ("Thank you.", (0.128, -1.021, 0.661)),
        ("BELL", (0.128, -2.108, 0.559)),
    ],
)
def test_words_from_sounds_without_speech_are_dropped(
    text: str, measured: tuple[float, float, float]
) -> None:
    assert hallucinations.is_hallucination(text, evidence(*measured))


def test_a_phrase_from_the_end_of_a_video_needs_strong_evidence() -> None:
    assert hallucinations.is_hallucination("Thank you.", evidence(0.2, -0.4, 0.1))
    assert not hallucinations.is_hallucination("Thank you.", evidence(0.6, -0.4, 0.1))


def test_unclear_speech_is_still_speech() -> None:
    assert not evidence(speech=2.0, log_probability=-1.3, no_speech=0.7).absent
    assert evidence(speech=0.3, log_probability=-1.3, no_speech=0.7).absent


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for watching!",
        "Thank you. Thank you.",
        "Subtitles by the Amara.org community",
        "Untertitel im Auftrag des ZDF, 2020",
        "¡Suscríbete al canal!",
        "Sous-titrage Société Radio-Canada",
        "ご視聴ありがとうございました",
        "Продолжение следует...",
        "I will see you again in the next video.",
        "...",
        "you",
    ],
)
def test_phrases_that_whisper_writes_on_noise_are_known(text: str) -> None:
    assert is_known_hallucination(text)


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for calling, how can I help?",
        "I would like to subscribe to the newsletter of your store",
        "You can see me on Monday",
        "So I called them again",
    ],
)
def test_normal_sentences_are_not_hallucinations(text: str) -> None:
    assert not is_known_hallucination(text)


def test_a_text_that_repeats_the_prompt_is_detected() -> None:
    prompt = "Kallglot, Acme Corporation, Jan Kowalski"
    assert hallucinations.echoes_prompt("Kallglot, Acme Corporation", prompt)
    assert not hallucinations.echoes_prompt("This is Jan Kowalski", prompt)
    assert not hallucinations.echoes_prompt("", prompt)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  Hello   there. ", "Hello there."),
        ("[Music]", ""),
        ("(coughs) Sorry.", "Sorry."),
        ("♪ ♪", ""),
        ("...", ""),
        ("- Yes.", "Yes."),
        ("a\ufffdb", "ab"),
    ],
)
def test_sound_annotations_and_extra_spaces_are_removed(text: str, clean: str) -> None:
    assert hallucinations.clean_text(text) == clean
