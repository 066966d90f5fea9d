"""Secrets of a call are in none of its results."""

import json
import re

import pytest

from analysis_app.engines.base import AnalysisRequest
from analysis_app.engines.local import LocalAnalyzer
from analysis_app.engines.local.compliance import run_checks
from analysis_app.engines.local.redaction import Secrets
from tests.analysis_app.engines.calls import customer, spoken

BANK = (
    ("agent", "Thank you for calling First Bank, this is Maria. How can I help you?"),
    ("customer", "Hi, my name is Ann Thornbury and I would like to transfer money to my daughter."),
    ("agent", "Can you tell me your account number?"),
    ("customer", "It is four four seven one nine oh two."),
    ("agent", "And your mother's maiden name?"),
    ("customer", "Okafor."),
    ("agent", "Thank you Mrs. Thornbury. What amount should I transfer?"),
    ("customer", "Two hundred dollars to the account 8831 0042 please, my pin is 9 4 1 7."),
    ("agent", "I will send the confirmation for account 88310042 to Ann Thornbury tomorrow."),
    ("customer", "Okafor Thornbury is the name on it. Thornbury transfer, Thornbury transfer."),
)


def _texts(call) -> str:
    request = AnalysisRequest(["summary", "topics", "action_items"])
    return json.dumps(LocalAnalyzer().analyze(call, request).results).lower()


@pytest.mark.parametrize("is_raw", [False, True], ids=["punctuated", "as recognized"])
def test_no_result_repeats_a_number_a_name_or_an_answer_to_a_security_question(is_raw):
    lines = [
        (who, text.lower().replace(".", "").replace(",", "") if is_raw else text)
        for who, text in BANK
    ]
    results = _texts(spoken(*lines))
    for secret in ("thornbury", "okafor", "four seven", "8831", "0042", "9 4 1 7", "maria"):
        if not (is_raw and secret == "maria"):
            assert secret not in results
    assert "transfer money" in results


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The code is 4 4 7 1.", "The code is [number]."),
        ("it is double five one nine", "it is [number]"),
        ("Mi número es cuatro cinco seis siete.", "Mi número es [number]."),
        ("Meine Nummer ist vier fünf sechs sieben.", "Meine Nummer ist [number]."),
        ("my pin is forty seven eleven", "my pin is [number]"),
        ("c'est le zéro six douze trente-quatre cinquante et un", "c'est le [number]"),
        ("c'est quatre-vingt-dix-sept soixante-douze", "c'est [number]"),
        ("die nummer ist siebenundvierzig elf", "die nummer ist [number]"),
        ("es el cuarenta y siete veintidós", "es el [number]"),
        ("il numero è quarantasette ventidue", "il numero è [number]"),
        ("é o quarenta e sete vinte e dois", "é o [number]"),
        ("J'ai payé quatre-vingt-dix-neuf euros.", "J'ai payé quatre-vingt-dix-neuf euros."),
        ("Pagué cuarenta y siete euros.", "Pagué cuarenta y siete euros."),
        ("um um oh um I think so", "um um oh um I think so"),
        (
            "I paid 120 dollars for two or three weeks.",
            "I paid 120 dollars for two or three weeks.",
        ),
        ("Write to ann@example.com today.", "Write to [address] today."),
    ],
)
def test_numbers_from_four_digits_and_addresses_are_hidden(said, shown):
    assert Secrets(customer(said)).hide(said) == shown


def test_the_company_that_an_agent_greets_with_is_no_name():
    call = spoken(("agent", "Hello, City Bank."), ("customer", "I lost my bank card."))
    assert Secrets(call).hide("I lost my bank card.") == "I lost my bank card."


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Good morning, Ann Thornbury. My card is lost."),
        ("de", "Guten Tag, Wiebke Hansen. Mein Handy lädt nicht."),
        ("es", "Buenas tardes, Rocío Calvo, quería anular una reserva."),
        ("it", "Buongiorno, Franco Neri. Ho cambiato casa."),
        ("pt", "Boa tarde, Paulo Mendes. Perdi o cartão."),
    ],
)
def test_a_name_after_a_greeting_is_hidden(language, said):
    call = spoken(("customer", said), language=language)
    assert "[name]" in Secrets(call).hide(said)
    assert Secrets(call).hide("Entschuldigung, my bank card.") == "Entschuldigung, my bank card."


INTRODUCTIONS = [
    ("en", "hello this is [priya] i'm calling about my lease"),
    ("en", "yeah hi i'm [tom weller] my card is gone"),
    ("en", "hey tessa it's [marcus bell] i need to move my flight"),
    ("fr", "bonjour moi c'est madame [lopez] vous m'avez livré un frigo"),
    ("de", "guten tag hier ist [anja wolter] ich hätte eine frage"),
    ("de", "hallo ich bin die [meike] mein auto springt nicht an"),
    ("es", "hola soy [marcos] tengo un problema"),
    ("es", "buenas noches soy [álvaro] de la trescientos doce"),
    ("pt", "bom dia tiago daqui fala a [joana costa] comprei um cartão"),
    ("es", "me llamo [pilar] tengo cita el lunes"),
    ("fr", "bonjour ici [luc morel] j'ai perdu mon sac"),
    ("fr", "allô oui c'est [sandrine] je vous appelle pour le devis"),
    ("it", "pronto sono [chiara] vorrei disdire"),
    ("it", "mi chiamo [dario] ho perso la carta"),
    ("pt", "olá eu sou o [rui] queria mudar a morada"),
    ("pt", "bom dia aqui é a [marta silva] não tenho luz"),
]


@pytest.mark.parametrize(("language", "text"), INTRODUCTIONS)
def test_a_name_without_capitals_is_hidden_and_the_words_after_it_are_not(language, text):
    said = text.replace("[", "").replace("]", "")
    secrets = Secrets(spoken(("customer", said), language=language))
    assert secrets.hide(said) == re.sub(r"\[.*\]", "[name]", text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "hi i'm calling about my bill"),
        ("en", "hi this is regarding my order"),
        ("en", "hello i'm stuck in the lift"),
        ("de", "hallo ich bin umgezogen und brauche internet"),
        ("de", "hallo hier ist seit gestern kein strom"),
        ("es", "hola soy cliente desde hace años"),
        ("fr", "bonjour c'est urgent ma carte est volée"),
        ("it", "salve sono rimasta senza luce"),
        ("pt", "olá aqui é do prédio azul"),
    ],
)
def test_what_people_say_of_themselves_is_no_name(language, text):
    assert Secrets(spoken(("customer", text), language=language)).hide(text) == text


@pytest.mark.parametrize(
    ("language", "asked", "answer"),
    [
        ("it", "Mi dice la password?", "Non lo so."),
        ("pt", "Qual é a senha?", "Não sei."),
        ("de", "Wie ist Ihr Kennwort?", "Nein, wieso?"),
        ("fr", "Votre mot de passe ?", "Aucune idée."),
    ],
)
def test_an_answer_without_a_secret_hides_no_common_words(language, asked, answer):
    lines = (("agent", asked), ("customer", answer))
    assert Secrets(spoken(*lines, language=language)).hide(answer) == answer


def test_an_introduction_without_capitals_is_no_part_of_the_brief():
    call = spoken(("customer", "hi this is kyle i bought a kettle and it leaks"))
    request = AnalysisRequest(["summary"])
    brief = LocalAnalyzer().analyze(call, request).results["summary"]["brief"]
    assert brief == "Customer: I bought a kettle and it leaks."


def test_a_question_for_data_is_no_action_item():
    call = spoken(("agent", "Please send me... Can you tell me your account number?"))
    assert "account number" not in _texts(call).split('"action_items"')[1]


def test_no_topic_spans_two_turns():
    lines = [("customer", "Where is my parcel"), ("agent", "Colleagues in america")] * 4
    assert "parcel_colleagues" not in _texts(spoken(*lines))


def test_the_sentences_of_a_brief_are_joined_with_full_stops():
    call = spoken(
        ("customer", "hi my washing machine leaks water on the kitchen floor"),
        ("agent", "a technician will repair the washing machine on friday"),
    )
    request = AnalysisRequest(["summary"])
    brief = LocalAnalyzer().analyze(call, request).results["summary"]["brief"]
    assert brief == (
        "Customer: My washing machine leaks water on the kitchen floor. "
        "Agent: A technician will repair the washing machine on friday."
    )


def test_a_goodbye_of_either_party_closes_the_call():
    checks = run_checks(spoken(("agent", "It is done."), ("customer", "Great, bye.")), [])["checks"]
    assert [check["passed"] for check in checks if check["name"] == "closing"] == [True]
