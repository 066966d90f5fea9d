"""The brief says why the customer calls and what the agent did, and key points are facts."""

import pytest

from analysis_app.engines.local.brief import MOST_WORDS, shortened
from analysis_app.engines.local.summary import summarize
from tests.analysis_app.engines.calls import customer, spoken

CARD = (
    ("agent", "Thank you for calling card services, how can I help you?"),
    ("customer", "Hi, my name is Ann Lee and I lost my credit card on the train."),
    ("agent", "Could you tell me your date of birth?"),
    ("customer", "The fourth of May nineteen eighty."),
    ("agent", "Thank you. Have you noticed any strange payments since then?"),
    ("customer", "I have not looked at the payments since this morning."),
    ("agent", "I have blocked the card for you."),
    ("customer", "Thank you very much."),
)


def _brief(*lines, language="en"):
    return summarize(spoken(*lines, language=language), language=language)["brief"]


def test_a_brief_says_why_the_customer_calls_and_what_the_agent_did():
    assert _brief(*CARD) == (
        "Customer: I lost my credit card on the train. Agent: I have blocked the card for you."
    )


@pytest.mark.parametrize(
    ("language", "asked", "answered", "brief"),
    [
        (
            "es",
            "Hola, he perdido mi tarjeta.",
            "Ya he bloqueado la tarjeta.",
            "Cliente: He perdido mi tarjeta. Agente: Ya he bloqueado la tarjeta.",
        ),
        (
            "de",
            "Guten Tag, ich habe meine Karte verloren.",
            "Ich habe die Karte gesperrt.",
            "Kunde: Ich habe meine Karte verloren. Agent: Ich habe die Karte gesperrt.",
        ),
        (
            "it",
            "Buongiorno, ho perso la carta.",
            "Ho bloccato la carta.",
            "Cliente: Ho perso la carta. Operatore: Ho bloccato la carta.",
        ),
    ],
)
def test_a_brief_names_the_parties_in_its_language(language, asked, answered, brief):
    assert _brief(("customer", asked), ("agent", answered), language=language) == brief


def test_a_brief_of_a_refused_call_says_what_was_refused():
    brief = _brief(
        ("customer", "I want a refund for the shoes that I bought in May."),
        ("agent", "I see the order here in front of me, it was paid by card."),
        ("agent", "I'm afraid we can't refund it after thirty days."),
        ("customer", "That is ridiculous."),
    )
    assert brief.endswith("Agent: I'm afraid we can't refund it after thirty days.")


def test_a_brief_has_at_most_forty_words_even_where_nobody_pauses():
    words = "i have a problem with the invoice that you sent me and the amount on it is too high "
    promise = "we will send you a new invoice and we will also call you back about the old one "
    call = spoken(("customer", words * 6), ("agent", promise * 6))
    assert len(summarize(call, language="en")["brief"].split()) <= MOST_WORDS


def test_a_sentence_that_is_too_long_ends_with_a_clause():
    text = "My parcel is late, and the driver told me that he would come back on another day"
    assert shortened(text, 6) == "My parcel is late…"


def test_a_brief_of_a_voicemail_has_only_the_customers_part():
    call = customer("Hello, I would like to cancel my newspaper from May on.")
    brief = summarize(call, language="en")["brief"]
    assert brief == "Customer: I would like to cancel my newspaper from May on."


@pytest.mark.parametrize("is_raw", [False, True], ids=["punctuated", "as recognized"])
def test_key_points_are_neither_questions_nor_the_opening(is_raw):
    lines = [
        (who, text.lower().replace(".", "").replace(",", "").replace("?", "") if is_raw else text)
        for who, text in CARD
    ]
    points = " ".join(summarize(spoken(*lines), language="en")["key_points"]).lower()
    assert "lost my credit card" in points
    assert "blocked the card" in points
    for words in ("calling card services", "date of birth", "strange payments"):
        assert words not in points


@pytest.mark.parametrize(
    ("question", "answer", "language"),
    [
        ("Under which name was the booking?", "Pemberton, Alistair Pemberton.", "en"),
        ("¿A nombre de quién?", "De Alistair Pemberton.", "es"),
        ("À quel nom ?", "Au nom de Alistair Pemberton.", "fr"),
        ("Wie heißen Sie bitte?", "Alistair Pemberton.", "de"),
        ("A che nome?", "Alistair Pemberton.", "it"),
    ],
)
def test_a_name_that_was_asked_for_is_not_repeated(question, answer, language):
    call = spoken(
        ("agent", question),
        ("customer", answer),
        ("agent", "Pemberton, Pemberton, Pemberton room twelve."),
        ("customer", "The room of Alistair Pemberton was cold all night long."),
        language=language,
    )
    assert "pemberton" not in str(summarize(call, language=language)).lower()


@pytest.mark.parametrize(
    ("language", "reason", "question"),
    [
        ("es", "he perdido la maleta en el vuelo", "me dice el modelo de la maleta azul"),
        ("fr", "j'ai perdu ma valise dans le train", "vous avez le numéro de la valise perdue"),
        ("de", "ich habe meinen koffer verloren", "haben sie den abschnitt vom koffer dabei"),
        ("it", "ho perso la valigia sul treno", "mi dice il colore della valigia persa"),
        ("pt", "perdi a minha mala no comboio", "pode dizer a cor da mala perdida"),
    ],
)
def test_a_question_without_a_question_mark_is_no_key_point(language, reason, question):
    call = spoken(("customer", reason), ("agent", question), language=language)
    assert [point.lower() for point in summarize(call, language=language)["key_points"]] == [reason]


def test_a_refusal_that_begins_like_a_question_is_a_key_point():
    call = spoken(
        ("customer", "ich möchte mein geld für den koffer zurück"),
        ("agent", "kann ich leider nicht erstatten"),
        language="de",
    )
    assert len(summarize(call, language="de")["key_points"]) == 2
