import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.agents.speakable import SentenceSplitter
from sessions_app.agents.speakable.sentences import LONGEST

LANGUAGES = ["en", "es", "fr", "de", "it", "pt", "ja"]

# Pieces of text in which a careless splitter goes wrong.
FRAGMENTS = [
    *"aZ9 .!?…,;:()\"'*_`-\n。！」",  # noqa: RUF001 - CJK punctuation
    "Dr.", "e.g.", "z. B.", "3.5", "1.000,50 €", "www.example.com", "a@b.org", "No. 5", "...",
    " 3. März", "1. ", "\n- ", "  \n ", "\u00a0", "\u2028", "**Yes.**", "你好。", "word ", "W" * 90,
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=60).map(
    "".join
)


def split(text: str, language: str = "en", cuts: list[int] | None = None) -> list[str]:
    splitter = SentenceSplitter(language)
    edges = [0, *sorted({min(cut, len(text)) for cut in cuts or []}), len(text)]
    found = [
        sentence
        for start, end in itertools.pairwise(edges)
        for sentence in splitter.feed(text[start:end])
    ]
    return found + splitter.close()


@given(TEXTS, st.sampled_from(LANGUAGES), st.lists(st.integers(0, 400), max_size=30))
def test_how_the_text_is_cut_into_pieces_makes_no_difference(
    text: str, language: str, cuts: list[int]
) -> None:
    whole = split(text, language)
    assert split(text, language, cuts) == whole
    assert split(text, language, list(range(len(text)))) == whole


@given(TEXTS, st.sampled_from(LANGUAGES))
def test_nothing_is_lost_and_every_sentence_is_bounded(text: str, language: str) -> None:
    sentences = split(text, language)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence == sentence.strip() != "" for sentence in sentences)
    assert all(len(sentence) <= LONGEST + 1 for sentence in sentences)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "en",
            "Dr. Smith paid 3.50 at www.example.com/a.b?c=1! Really?| Yes.| No.| No. 5 is open.",
        ),
        ("en", "It is open, e.g. on Mondays.| Write to jo.doe@example.com.| Thanks…| Bye."),
        ("en", "1. Open the lid.|\n- one|\n- two|\n\nDone"),
        ("en", 'He said "Stop."| Then (he went.)| And **left.**| Well... maybe.| So...| Yes'),
        ("es", "El Sr. Pérez vive en la Avda. Sol núm. 5.| ¿Dónde?| Cuesta 1.000,50 €."),
        ("fr", "M. Dupont habite au 5 av. Foch.| Vraiment ?| Oui !| Voir p. 5."),
        ("de", "Am 3. März kommt Dr. Müller, z. B. um 5 Uhr.| Das kostet ca. 1.000 €.| Gut."),
        ("it", "Il sig. Rossi e la dott. Bianchi.| Costa 1.000,50 €.| Va bene."),
        ("pt", "A Sra. Silva mora na av. Brasil n. 5.| Custa 1.000 €.| Está bem."),
        ("ar", "هل هو مفتوح؟| نعم."),
        ("hi", "दुकान खुली है।| कल बंद है।"),
        ("ja", "こんにちは。|元気ですか？|はい。"),  # noqa: RUF001 - CJK punctuation
    ],
)
def test_sentences_end_where_a_reader_would_end_them(language: str, text: str) -> None:
    expected = [part.strip() for part in text.replace("! Really", "!| Really").split("|")]
    assert split(text.replace("|", ""), language) == expected


def test_a_sentence_is_given_out_with_the_first_character_after_it() -> None:
    splitter = SentenceSplitter("en")
    assert splitter.feed("It is open.") == []
    assert splitter.feed(" ") == []
    assert splitter.feed("A") == ["It is open."]
    assert splitter.feed("nd:\n") == ["And:"]


def test_a_sentence_without_end_is_given_out_while_it_is_written() -> None:
    assert SentenceSplitter("en").feed("word " * 100)


@pytest.mark.timeout(10)  # seconds; it takes a few milliseconds
def test_a_run_of_dots_takes_no_time() -> None:
    assert all(len(each) <= LONGEST for each in split("." * 16_000))


def test_a_long_sentence_is_cut_at_a_pause() -> None:
    first, *others = split("word " * 30 + "end, " + "more " * 40)
    assert first.endswith("end,")
    assert all(len(each) <= LONGEST for each in [first, *others])
