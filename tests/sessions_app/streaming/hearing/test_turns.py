import pytest

from sessions_app.streaming.hearing.turns import (
    CONTINUING,
    DICTATING,
    FINISHED,
    UNFINISHED,
    UNKNOWN,
    delay_after,
)


@pytest.mark.parametrize(
    "text",
    [
        "Thank you very much.",
        "How can I help you?",
        "That is great!",
        "Muchas gracias.",
        "ありがとうございます。",
        'She said "no."',
        "What is this for?",
        "Please come in.",
    ],
)
def test_the_delay_is_shortest_after_a_finished_sentence(text):
    assert delay_after(text) == FINISHED


@pytest.mark.parametrize(
    "text",
    [
        "My number is 555",
        "My number is",
        "My number is.",
        "It's 4 1 5.",
        "four one five",
        "My name is J O",
        "That's B-A-R",
        "AB12 C",
        "The code is 77 41",
        "Mi número es cinco cinco",
        "My address is",
        "555-01",
        "My e-mail address is:",
        "My addresses.",
        "My email address is john.smith",
        "My address is 42 Baker Street",
        "My email addresses john dot Smith.",
        "My e-mail is john.smith at example.",
        "My address is 1,200 Market Street.",
        "0 to 0",
        "The card number is 4111-222222",
        "My number is 55 26.",
        "My number is 5.",
        "The code is K 26.",
        "My number is 268...",
        "It is 415555.",
    ],
)
def test_the_delay_is_longest_during_dictation(text):
    assert delay_after(text) == DICTATING


@pytest.mark.parametrize(
    "text",
    [
        "I wanted to ask because",
        "I am not sure but um,",
        "I called you and",
        "Ich wollte fragen, ob ich und",
        "so...",
        "My name is Jonathan.",
        "You can call me back at.",
        "My e-mail address is john dot smith at example dot com",
        "My address is 42 Baker Street, London.",
        "My email address is john.smith at example.com.",
        "You have my address.",
        "Mi número favorito es 268.",
        "Il mio numero preferito è 26.",
        "My room number is 1,200.",
    ],
)
def test_the_delay_is_longer_when_the_sentence_must_go_on(text):
    assert delay_after(text) == CONTINUING


@pytest.mark.parametrize(
    "text",
    [
        "I would like to speak",
        "Well, yes,",
        "It costs 15.",
        "Meine Lieblingszahl ist 268.",
        "Mon chiffre préféré 3.6111.",
        "That is 1,200.",
        "We sold 90210.",
        "My number is 415 555 0199 22.",
        "The card number is 4111 2222 3333 4444.",
        "…",
    ],
)
def test_the_delay_is_a_little_longer_when_the_sentence_may_go_on(text):
    assert delay_after(text) == UNFINISHED


def test_the_delay_without_words():
    assert delay_after("  ") == UNKNOWN


def test_delays_grow_with_the_likelihood_of_more_words():
    assert FINISHED < UNKNOWN < UNFINISHED < CONTINUING < DICTATING
