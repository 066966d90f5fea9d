import pytest

from sessions_app.engines.whisper import guards
from sessions_app.engines.whisper.guards import Evidence
from sessions_app.engines.whisper.inventions import is_known_invention


def evidence(
    speech: float = 2.0, log_probability: float = -0.3, no_speech: float = 0.1
) -> Evidence:
    return Evidence(3.0, speech, 0.9, log_probability, no_speech)


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
def test_what_people_say_twice_is_no_loop(text: str) -> None:
    assert guards.why_suspicious(text, -0.2, 5.0, 1.0, cut_off=False) == ""


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
def test_a_loop_is_noticed_and_can_be_said_once(text: str, once: str) -> None:
    assert guards.why_suspicious(text, -0.2, 30.0, 1.0, cut_off=False) == "loop"
    assert guards.without_loops(text) == once


def test_a_loop_in_a_script_without_spaces_is_noticed() -> None:
    assert guards.why_suspicious(
        "我想我想我想我想我想我想我想我想我想我想我想", -0.2, 30.0, 1.0, cut_off=False
    )


def test_more_words_than_anyone_can_say_are_suspicious() -> None:
    text = "Pack my box with five dozen liquor jugs, and then judge how vexingly quick foxes jump."
    assert guards.why_suspicious(text, -0.2, 6.0, 1.0, cut_off=False) == ""
    assert guards.why_suspicious(text, -0.2, 1.0, 1.0, cut_off=False) == "rate"


def test_an_unsure_decoder_is_suspicious() -> None:
    assert guards.why_suspicious("Perhaps.", -1.4, 2.0, 1.0, cut_off=False) == "probability"


@pytest.mark.parametrize("text", ["The booking code is...", "The booking code is,", "Well…"])
def test_text_that_breaks_off_long_before_the_speech_does_is_suspicious(text: str) -> None:
    assert guards.why_suspicious(text, -0.5, 6.0, 4.0, cut_off=False) == "trailing off"
    assert guards.why_suspicious(text, -0.5, 2.0, 0.7, cut_off=False) == ""


@pytest.mark.parametrize("text", ["It is 4, 1, 1, 1", "K L W A L S K I", "No."])
def test_slow_speech_that_was_written_down_is_not(text: str) -> None:
    assert guards.why_suspicious(text, -0.5, 6.0, 4.0, cut_off=False) == ""


def test_text_without_end_is_suspicious() -> None:
    assert guards.why_suspicious("And so on", -0.1, 2.0, 1.0, cut_off=True) == "length"


def test_a_voice_and_a_sure_decoder_are_strong_evidence() -> None:
    assert evidence().strong
    assert not evidence(speech=0.05).strong
    assert not evidence(log_probability=-0.9).strong


def test_words_without_a_voice_are_not_believed() -> None:
    assert evidence(speech=0.0, log_probability=-0.8).absent
    assert not evidence(speech=0.0, log_probability=-0.1).absent


def test_an_unclear_voice_is_still_a_voice() -> None:
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
def test_what_whisper_writes_over_noise_is_known(text: str) -> None:
    assert is_known_invention(text)


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for calling, how can I help?",
        "I would like to subscribe to the newsletter of your store",
        "You can see me on Monday",
        "So I called them again",
    ],
)
def test_what_people_say_is_no_invention(text: str) -> None:
    assert not is_known_invention(text)


def test_reading_out_the_prompt_is_noticed() -> None:
    prompt = "Kallglot, Acme Corporation, Jan Kowalski"
    assert guards.echoes_prompt("Kallglot, Acme Corporation", prompt)
    assert not guards.echoes_prompt("This is Jan Kowalski", prompt)
    assert not guards.echoes_prompt("", prompt)


@pytest.mark.parametrize(
    ("text", "tidy"),
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
def test_text_is_tidied(text: str, tidy: str) -> None:
    assert guards.tidy(text) == tidy
