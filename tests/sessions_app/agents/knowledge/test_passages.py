"""Splitting documents into passages."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.agents.files.blocks import Block
from sessions_app.agents.knowledge.passages import (
    MAX_CHARACTERS,
    MAX_WORDS,
    MIN_WORDS,
    PassageText,
    sentences,
    split,
    words,
)


def paragraph(count: int, word: str = "word") -> Block:
    """So many words, in sentences of ten."""
    whole = [" ".join([word] * min(10, count - at)) for at in range(0, count, 10)]
    return Block(". ".join(whole).capitalize().replace(f". {word}", f". {word.capitalize()}") + ".")


def test_each_section_is_a_passage_with_its_headings():
    assert split(
        [
            Block("Help", 1),
            Block("Delivery", 2),
            Block("It takes three days."),
            Block("Abroad it takes five."),
            Block("Returns", 2),
            Block("Send it back."),
        ]
    ) == [
        PassageText("Help > Delivery", "It takes three days.\nAbroad it takes five."),
        PassageText("Help > Returns", "Send it back."),
    ]


def test_short_paragraphs_are_joined_and_long_ones_split_between_sentences():
    passages = split([paragraph(40), paragraph(40), paragraph(70), paragraph(300)])

    sizes = [words(each.text) for each in passages]
    assert sum(sizes) == 450
    assert all(MIN_WORDS <= size <= MAX_WORDS for size in sizes)
    assert passages[0].text.count("\n") == 1  # the first two paragraphs are one passage
    assert all(each.text.endswith(".") for each in passages)


def test_a_short_rest_joins_the_passage_before_it():
    (passage,) = split([paragraph(100), paragraph(25)])
    assert words(passage.text) == 125


def test_a_sentence_without_an_end_is_cut():
    passages = split([Block(" ".join(f"w{number}" for number in range(300)))])
    assert [words(each.text) for each in passages] == [120, 120, 60]
    assert passages[1].text.startswith("w120 ")


def test_characters_of_languages_without_spaces_count_as_words():
    passages = split([Block("配送には三日かかります。" * 30)])
    assert len(passages) == 3
    assert all(each.text.endswith("。") for each in passages)


def test_headings_without_text_are_kept_once():
    assert split(
        [Block("Help", 1), Block("Phone 555-0100", 2), Block("Mail", 2), Block("x@y")]
    ) == [
        PassageText("Help", "Phone 555-0100"),
        PassageText("Help > Mail", "x@y"),
    ]
    assert split([Block("Only a heading", 1)]) == [PassageText("", "Only a heading")]
    assert split([]) == []


def test_sentences_end_where_people_end_them():
    assert sentences("Ask Dr. Smith. It costs 3.50 a day, e.g. for two! «¿Y ahora?» Sí.") == [
        "Ask Dr. Smith.",
        "It costs 3.50 a day, e.g. for two!",
        "«¿Y ahora?»",
        "Sí.",
    ]


@given(
    st.lists(
        st.builds(Block, st.text("ab .!?\u3042", min_size=1, max_size=400), st.integers(0, 6)),
        max_size=20,
    )
)
def test_nothing_is_lost_and_no_passage_is_too_long(blocks):
    passages = split(blocks)

    said = "".join(f"{each.heading} {each.text}" for each in passages)
    for block in blocks:
        for word in block.text.split():
            assert block.level or word[:100] in said
    assert all(words(each.text) <= MAX_WORDS + MIN_WORDS // 2 for each in passages)


@pytest.mark.parametrize(
    "text",
    ["x" * 50_000, "." * 50_000, "ab-" * 20_000, f"{'y' * 300} " * 200, f"{'z' * 900}. " * 100],
    ids=["word", "no word", "hyphens", "long words", "long sentences"],
)
def test_no_passage_has_too_many_characters(text):
    passages = split([Block("Short."), Block(text), Block("Short too.")])

    assert all(len(each.text) <= MAX_CHARACTERS for each in passages)
    said = "".join(each.text for each in passages)
    assert said.count(text[0]) >= text.count(text[0])


@pytest.mark.parametrize("text", ["a. ", "Go. ", 'x." '])
def test_the_time_grows_with_the_length_of_a_text(text):
    def seconds(count: int) -> float:
        started = time.process_time()
        sentences(text * count)
        return time.process_time() - started

    short = min(seconds(10_000) for _ in range(3))
    assert seconds(160_000) < 16 * short * 4  # 256 times as long if it grew with the square
