"""Terms with fixed translations, whatever the engine."""

import re
from collections.abc import Callable

import pytest

from sessions_app.engines.base import EngineRejected, TranslationRequest, Translator
from sessions_app.engines.glossary import (
    PLACEHOLDER,
    TermIndex,
    find_terms,
    missing_terms,
    term_index,
)

GLOSSARY = {"account": "ficha", "account manager": "gestora", "Kallglot": "Kallglot"}


class ScriptedTranslator(Translator):
    """Gives ``change(text)``."""

    name = "scripted"
    attempts = 1

    def __init__(
        self,
        change: Callable[[str], str] = lambda text: text,
        *,
        placeholders: bool = True,
        glossary: bool = False,
    ) -> None:
        self.change = change
        self.keeps_placeholders = placeholders
        self.knows_glossary = glossary
        self.requests: list[TranslationRequest] = []

    def pairs(self) -> frozenset[tuple[str, str]]:
        return frozenset({("en", "es"), ("es", "en")})

    async def _translate(self, request: TranslationRequest) -> str:
        self.requests.append(request)
        return self.change(request.text)


def ask(text: str, glossary=GLOSSARY, english: str | None = None) -> TranslationRequest:
    return TranslationRequest(text, "en", "es", glossary, english=english)


def test_the_longest_term_is_found_in_either_direction_and_any_case() -> None:
    assert [t.translation for t in find_terms("Account manager, account", GLOSSARY)] == [
        "gestora",
        "ficha",
    ]
    assert [t.translation for t in find_terms("la ficha", GLOSSARY)] == ["account"]


def test_a_term_is_a_whole_word_except_in_scripts_without_spaces() -> None:
    assert find_terms("accountant", GLOSSARY) == []
    assert len(find_terms("我的账户密码", {"账户": "account"})) == 1


def test_blank_terms_are_passed_over() -> None:
    assert find_terms("any text", {"": "x", " ": "y", "any": " "}) == []


async def test_the_engine_translates_a_placeholder_and_the_term_takes_its_place() -> None:
    engine = ScriptedTranslator(lambda text: text.replace("My", "Mi"))
    assert await engine.translate(ask("My account is new.")) == "Mi ficha is new."
    [request] = engine.requests
    assert PLACEHOLDER.search(request.text)
    assert "account" not in request.text


async def test_a_term_at_the_beginning_of_a_sentence_has_a_capital() -> None:
    assert await ScriptedTranslator().translate(ask("Account closed.")) == "Ficha closed."


async def test_a_text_is_translated_in_pieces_when_the_engine_loses_the_placeholder() -> None:
    engine = ScriptedTranslator(lambda text: PLACEHOLDER.sub("", text).upper())
    assert await engine.translate(ask("Close my account, please.")) == "CLOSE MY ficha, PLEASE."


async def test_an_engine_that_follows_the_glossary_is_given_it_whole() -> None:
    engine = ScriptedTranslator(lambda text: text.replace("account", "ficha"), glossary=True)
    assert await engine.translate(ask("My account")) == "My ficha"
    assert [request.glossary for request in engine.requests] == [GLOSSARY]


async def test_an_engine_that_does_not_follow_the_glossary_gets_a_placeholder() -> None:
    engine = ScriptedTranslator(glossary=True)
    assert await engine.translate(ask("My account")) == "My ficha"
    assert len(engine.requests) == 2


async def test_english_of_the_transcriber_is_not_used_for_a_text_with_placeholders() -> None:
    engine = ScriptedTranslator()
    await engine.translate(ask("My account", english="My account"))
    assert engine.requests[0].english is None


async def test_an_engine_that_refuses_placeholders_translates_without_the_term() -> None:
    def refuse(text: str) -> str:
        if PLACEHOLDER.search(text):
            raise EngineRejected("no")
        return text

    assert await ScriptedTranslator(refuse).translate(ask("My account")) == "My account"


async def test_a_value_that_the_engine_loses_is_added_at_the_end() -> None:
    engine = ScriptedTranslator(lambda text: re.sub(r"\d+", "", text).strip())
    assert await engine.translate(ask("The code is 4711")) == "The code is (4711)"


def test_terms_that_are_missing_from_a_translation_are_named() -> None:
    missing = missing_terms("my account manager", "mi gerente", GLOSSARY)
    assert [term.translation for term in missing] == ["gestora"]
    assert missing_terms("my account manager", "mi Gestora", GLOSSARY) == []


class CountedTerms(dict[str, str]):
    """Counts how often it is asked whether it has a term."""

    asked = 0

    def __contains__(self, term: object) -> bool:
        self.asked += 1
        return super().__contains__(term)


def test_a_word_is_looked_up_only_among_the_terms_that_begin_with_it() -> None:
    glossary = {f"word{n} {'long ' * 30}{n}": f"palabra{n} {'larga ' * 30}" for n in range(500)}
    built = term_index((*glossary.items(), ("claim form", "formulario")))
    terms = CountedTerms(built.translations)
    text = "Please send the claim form with your order, and call me about word7. " * 3
    found = TermIndex(terms, built.lengths).find(text)
    assert [term.translation for term in found] == ["formulario"] * 3
    assert terms.asked <= 6


def test_no_pattern_is_compiled_for_a_glossary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling hundreds of terms would stop the event loop."""

    def compiled(*arguments: object) -> None:
        raise AssertionError("a pattern was compiled")

    monkeypatch.setattr(re, "compile", compiled)
    glossary = {f"item{n} {'long ' * 30}{n}": f"objeto{n}" for n in range(500)}
    [term] = find_terms(f"my item499 {'LONG ' * 30}499!", glossary)
    assert term.translation == "objeto499"


@pytest.mark.parametrize(
    ("text", "term", "found"),
    [
        ("Die STRASSE hier", "Straße", "STRASSE"),
        ("Die Straße hier", "strasse", "Straße"),
        ("an accountant", "account", None),
        ("the c# course", "C#", "c#"),
        ("a_b", "b", None),
        ("我的手机号", "手机", "手机"),
        ("pay", "pay now", None),
        ("re-enter", "enter", "enter"),
    ],
)
def test_a_term_is_found_as_whole_words_in_any_case(
    text: str, term: str, found: str | None
) -> None:
    assert [text[t.start : t.end] for t in find_terms(text, {term: "x"})] == (
        [] if found is None else [found]
    )
