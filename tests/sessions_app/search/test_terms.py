"""What a person types becomes terms that neither database can misread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.search.terms import (
    Term,
    fold,
    highlighted,
    like_pattern,
    parse,
    postgres_query,
    sqlite_query,
)


def hits(text: str, typed: str) -> list[str]:
    return [piece.text for piece in highlighted(text, parse(typed)) if piece.hit]


def test_words_phrases_and_an_incomplete_last_word_are_parsed():
    assert parse('refund "order number" ship') == [
        Term(("refund",)),
        Term(("order", "number")),
        Term(("ship",), prefix=True),
    ]


@pytest.mark.parametrize("typed", ["", "   ", '""', "!!", "___", "*", "& | !"])
def test_a_text_without_letters_and_digits_has_no_terms(typed):
    assert parse(typed) == []


def test_database_operators_are_read_as_words():
    terms = parse("a:* | !b NEAR(c) -d 'eve")
    assert postgres_query(terms) == "('a') & ('b') & ('NEAR' <-> 'c') & ('d') & ('eve':*)"
    assert sqlite_query(terms) == '"a" AND "b" AND "NEAR c" AND "d" AND "eve"*'


def test_a_last_word_of_one_or_two_letters_is_not_a_prefix():
    assert parse("no") == [Term(("no",))]
    assert parse("non") == [Term(("non",), prefix=True)]
    assert parse("日本") == [Term(("日本",), prefix=True)]


def test_wildcards_are_escaped_in_like_patterns():
    assert like_pattern(Term(("order", "a_b"))) == r"%order%a\_b%"


def test_hits_are_found_without_case_or_accents_and_only_as_whole_words():
    assert hits("El Número de mi pedido; numeroso", '"numero"') == ["Número"]
    assert hits("El Número de mi pedido; numeroso", "numero") == ["Número", "numeroso"]
    assert hits("order, number twelve", '"order number"') == ["order, number"]


def test_a_long_line_is_cut_around_its_first_hit():
    pieces = highlighted("x " * 200 + "refund" + " y" * 200, parse("refund"), 20)
    text = "".join(piece.text for piece in pieces)
    assert text.startswith("…")
    assert text.endswith("…")
    assert len(text) < 120


@given(st.text(max_size=80), st.text(max_size=30))
def test_the_pieces_joined_are_the_text(text: str, typed: str):
    pieces = highlighted(text, parse(typed))
    assert "".join(piece.text for piece in pieces) == text
    assert len(fold(text)) == len(text)
