"""Which clauses of a long utterance are spoken before it ends, and what is left at its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.streaming.speaking.clauses import KEPT_BACK, ClauseFinder, follow, words_of


def plain(text):
    return [word.plain for word in words_of(text)]


def offered(*partials, language="en"):
    """The clauses that are spoken when these partials come, one after another."""
    finder = ClauseFinder()
    return clauses_of(finder, partials, language), finder


def clauses_of(finder, partials, language="en"):
    spoken = []
    for partial in partials:
        finder.observe(partial)
        if (clause := finder.offer(language)) is not None:
            finder.accept(clause)
            spoken.append(clause.text)
    return spoken


BEGINNING = "I wanted to ask about my invoice,"


def test_a_clause_is_spoken_once_two_partials_agree_on_it():
    finder = ClauseFinder()
    finder.observe(f"{BEGINNING} because it is too")
    assert finder.offer("en") is None
    finder.observe(f"{BEGINNING} because it is too high and")
    clause = finder.offer("en")
    assert clause.text == BEGINNING
    assert clause.before == ""
    assert clause.share == pytest.approx(27 / 48)


def test_case_and_punctuation_make_no_difference_to_the_agreement():
    clauses, _ = offered(
        "i wanted to ask about my invoice because it is too",
        f"{BEGINNING} because it is too high",
    )
    assert clauses == [BEGINNING]


def test_numbers_in_words_and_in_digits_are_the_same():
    clauses, _ = offered(
        "The trains leave from platforms one and three today, because the other",
        "The trains leave from platforms 1 and 3 today, because the other ones",
    )
    assert clauses == ["The trains leave from platforms 1 and 3 today,"]


def test_the_last_words_of_a_partial_are_kept_back():
    clauses, _ = offered(
        "Please hold the line. I will look",
        "Please hold the line. I will",
    )
    assert clauses == []


def test_words_that_were_just_revised_are_not_spoken():
    clauses, _ = offered(
        "I wanted to pass about my invoice, because it is too",
        f"{BEGINNING} because it is too high",
    )
    assert clauses == []


def test_only_one_clause_is_offered_at_a_time():
    finder = ClauseFinder()
    text = "First of all, good morning to you. I have a question. It is about the bill"
    finder.observe(text)
    finder.observe(text + " of")
    assert finder.offer("en") is not None
    assert finder.offer("en") is None


def test_a_refused_clause_is_offered_again():
    finder = ClauseFinder()
    text = f"{BEGINNING} because it is too high"
    finder.observe(text)
    finder.observe(text)
    finder.offer("en")
    finder.refuse()
    assert finder.offer("en").text == BEGINNING
    assert finder.rest(f"{BEGINNING} because.") == f"{BEGINNING} because."


def test_the_rest_is_what_was_not_spoken():
    _, finder = offered(*[f"{BEGINNING} because it is too"] * 2)
    assert finder.rest(f"{BEGINNING} because it is too high.") == "because it is too high."
    assert finder.accepted == BEGINNING


def test_nothing_is_left_when_the_final_is_what_was_spoken():
    _, finder = offered(*[f"{BEGINNING} because it is too"] * 2)
    assert finder.rest("I wanted to ask about my invoice.") == ""


@pytest.mark.parametrize(
    ("partial", "final", "rest"),
    [
        # Other spellings and numbers of the words that were spoken.
        (
            "I paid you twenty five dollars, and then I left the",
            "I paid you $25 and then I left the shop.",
            "and then I left the shop.",
        ),
        (
            "We should meet on Monday, but my colleagues have no",
            "We shall meet Monday, but my colleagues have no time.",
            "but my colleagues have no time.",
        ),
        (
            "It's a very old car, but it still runs very",
            "So it is a very old car, but it still runs well.",
            "but it still runs well.",
        ),
        # The beginning was left out of the final.
        (
            "Um, well, you know, I called you last week, but nobody has",
            "I called you last week, but nobody has answered.",
            "but nobody has answered.",
        ),
        # The speaker repeats words.
        (
            "Call me tomorrow at noon, call me tomorrow if you",
            "Call me tomorrow at noon, call me tomorrow if you can.",
            "call me tomorrow if you can.",
        ),
        # A word was found between what was spoken and what was not.
        (
            "I called you last week, but nobody has",
            "I called you last week, yes, but nobody has answered.",
            "yes, but nobody has answered.",
        ),
    ],
)
def test_revised_words_are_not_said_again(partial, final, rest):
    clauses, finder = offered(partial, partial)
    assert clauses
    assert finder.rest(final) == rest


def test_later_clauses_go_on_after_a_revision_of_what_was_spoken():
    first = "I paid you twenty five dollars, and then I left the"
    second = "I paid you $25, and then I left the shop, because it was very"
    clauses, finder = offered(first, first, second, second)
    assert clauses == ["I paid you twenty five dollars,", "and then I left the shop,"]
    assert finder.rest(f"{second} late.") == "because it was very late."


@pytest.mark.parametrize(
    ("language", "text", "clauses"),
    [
        ("en", "We looked at the house which my brother sold", ["We looked at the house"]),
        ("es", "Ayer llegué tarde a casa porque perdí el tren", ["Ayer llegué tarde a casa"]),
        ("fr", "Je suis resté chez moi parce que je dormais", ["Je suis resté chez moi"]),
        ("de", "Wir bleiben heute hier weil es stark regnet", ["Wir bleiben heute hier"]),
        # A word that often begins no clause.
        (
            "en",
            "I would only mention in passing now that it was late",
            ["I would only mention in passing now"],
        ),
        ("en", "I am sure that it was late", []),
        # No list for the language: punctuation only.
        ("pl", "Zostaniemy dziś w domu, bo mocno pada deszcz", ["Zostaniemy dziś w domu,"]),
        ("pl", "Zostaniemy dziś w domu bo mocno pada deszcz", []),
        # Numbers.
        ("en", "My number is five five five, two three four and more", []),
        ("en", "The price was one hundred and five dollars a day", []),
        ("en", "It was built in the year 1,200, 300 years before us", []),
        # Names.
        ("en", "I work for the firm Smith and Sons in old London", []),
        ("en", "We have an office in Paris, France for many years", []),
        ("en", "I have an appointment with Dr. Jones on next Monday", []),
        ("en", "I talked with the author J. Miller about his book", []),
        # After an article, a preposition, a joining word.
        ("en", "It is something we can live with and nobody will object", []),
        ("es", "Es la casa de la que, como te digo, hablamos", []),
        # Too short.
        ("en", "Well, I have thought about it very much", []),
        ("en", "Yes, please. I have thought about it very much", ["Yes, please."]),
    ],
)  # fmt: skip
def test_a_sentence_is_cut_between_its_clauses(language, text, clauses):
    assert offered(text, text, language=language)[0] == clauses


def test_punctuation_between_spaces_is_no_word():
    assert plain("Hello — world … ¿qué?") == ["hello", "world", "qué"]
    assert [word.written for word in words_of("Hello — world")] == ["Hello —", "world"]


SOME_WORDS = "the car is old, but. and we 25 Paris when it runs well; no one"
WORDS = st.sampled_from(SOME_WORDS.split(" "))


@st.composite
def speech(draw):
    """A final text, and partials of its growing beginning. Their last words are wrong guesses,
    which are never the same twice."""
    final = draw(st.lists(WORDS, min_size=1, max_size=40))
    ends = sorted(draw(st.lists(st.integers(0, len(final)), max_size=12)))
    partials = []
    for number, end in enumerate(ends):
        guesses = [f"guess{number}x{each}" for each in range(draw(st.integers(0, 4)))]
        partials.append(" ".join(final[:end] + guesses))
    return " ".join(final), partials


@given(speech())
def test_nothing_is_said_twice_and_nothing_is_lost(example):
    final, partials = example
    finder = ClauseFinder()
    spoken = clauses_of(finder, partials)
    assert plain(" ".join([*spoken, finder.rest(final)])) == plain(final)


@st.composite
def revised_speech(draw):
    """The same with words that are heard in another way in each partial; all words differ."""
    final = [f"word{each}" + draw(st.sampled_from(["", ",", "."])) for each in range(30)]
    partials = []
    for number, end in enumerate(sorted(draw(st.lists(st.integers(1, 30), max_size=12)))):
        wrong = draw(st.sets(st.integers(0, end - 1), max_size=3))
        partials.append(
            " ".join(f"wrong{number}x{at}" if at in wrong else final[at] for at in range(end))
        )
    return " ".join(final), partials


@given(revised_speech())
def test_after_revisions_the_rest_begins_where_the_speech_had_stopped(example):
    final, partials = example
    finder = ClauseFinder()
    spoken = clauses_of(finder, partials)
    rest = plain(finder.rest(final))
    assert len(plain(" ".join(spoken))) + len(rest) == 30
    assert rest == plain(final)[30 - len(rest) :]


@given(st.lists(WORDS), st.lists(WORDS), st.data())
def test_a_position_is_found_in_any_two_texts(before, after, data):
    position = data.draw(st.integers(0, len(before)))
    found = follow(before, after, position)
    assert 0 <= found <= len(after)
    assert follow(before, before + after, position) == position


@given(st.lists(st.lists(WORDS).map(" ".join)), st.sampled_from(["en", "es", "ja"]))
def test_any_texts_whatever_leave_words_at_the_end_of_a_partial(texts, language):
    finder = ClauseFinder()
    for text in texts:
        finder.observe(text)
        if (clause := finder.offer(language)) is not None:
            assert 0 < len(plain(clause.text)) <= len(plain(text)) - KEPT_BACK
            finder.accept(clause)


def test_words_without_punctuation_are_cut_after_a_number_of_them():
    text = (
        "mañana vamos todos juntos temprano después llamamos nuevamente recibimos facturas nuevas "
        "explicamos detalles adicionales"
    )
    clauses, finder = offered(text, text, language="es")
    assert clauses == [" ".join(text.split()[:11])]
    assert finder.rest(text) == " ".join(text.split()[11:])


def test_an_article_is_not_parted_from_its_noun_where_words_are_counted():
    kept = "quisiera hablar hoy mismo contigo personalmente acerca nuestras últimas facturas"
    text = f"{kept} la casa se vendió"
    clauses, _ = offered(text, text, language="es")
    assert clauses == [kept]


def test_few_words_without_punctuation_wait_for_more():
    text = "mañana vamos todos juntos temprano después llamamos nuevamente recibimos facturas"
    clauses, _ = offered(text, text, language="es")
    assert clauses == []


def test_a_first_word_that_goes_to_and_fro_holds_up_nothing():
    said = (
        "quería preguntar por la factura de este mes, porque es muy alta y nadie me ha dicho nada"
    )
    words = said.split()
    partials = [
        f"{('Buenos', 'Bueno,')[count % 2]} {' '.join(words[:count])}"
        for count in range(3, len(words) + 1)
    ]
    clauses, finder = offered(*partials, language="es")
    assert clauses[0].endswith("quería preguntar por la factura de este mes,")
    assert " ".join([*clauses, finder.rest(partials[-1])]).split()[1:] == words


def test_a_word_near_the_end_that_goes_to_and_fro_is_waited_for():
    clauses, _ = offered(
        "I wanted to pass about my invoice, because it",
        f"{BEGINNING} because it",
        "I wanted to pass about my invoice, because it",
    )
    assert clauses == []
