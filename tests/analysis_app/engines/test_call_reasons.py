"""Topics begin with the reasons for the call, from a list."""

import pytest

from analysis_app.engines.local.call_reasons import CallReason, default_reasons, find_reasons
from analysis_app.engines.local.topics import find_topics
from tests.analysis_app.engines.calls import customer, spoken


def test_about_sixty_reasons_are_shipped_each_with_one_sentence_and_words():
    reasons = default_reasons()
    assert 55 <= len(reasons) <= 70
    assert len({reason.name for reason in reasons}) == len(reasons)
    for reason in reasons:
        assert reason.description.count(".") == 1
        assert reason.signs


@pytest.mark.parametrize(
    ("language", "said", "reason"),
    [
        ("en", "I lost my debit card at the station.", "lost_or_stolen_card"),
        ("en", "Hi, my name is Ann and I would like to transfer money.", "money_transfer"),
        ("en", "my parcel has not arrived and the tracking says nothing", "order_status"),
        ("es", "He perdido la tarjeta de crédito.", "lost_or_stolen_card"),
        ("fr", "Mon internet est en panne depuis hier.", "internet_outage"),
        ("de", "Ich möchte meinen Vertrag kündigen.", "cancellation"),
        ("it", "Vorrei il rimborso del biglietto.", "refund"),
        ("pt", "Recebi a encomenda com o tamanho errado.", "wrong_or_damaged_goods"),
    ],
)
def test_the_first_topic_is_the_reason_for_the_call(language, said, reason):
    call = spoken(("agent", "Acme."), ("customer", said), language=language)
    assert find_topics(call)[0]["name"] == reason


@pytest.mark.parametrize(
    ("language", "said", "reason"),
    [
        ("de", "Ich habe meine Kreditkarte verloren.", "lost_or_stolen_card"),
        ("de", "Auf meiner Stromrechnung ist ein Fehler.", "billing_error"),
        ("de", "Ich brauche einen Zahnarzttermin.", "appointment"),
        ("de", "Ich möchte einen Sparkredit aufnehmen.", "loan_or_credit"),
        ("pt", "A minha conta de luz veio o triplo.", "billing_error"),
    ],
)
def test_a_compound_is_read_as_what_it_is(language, said, reason):
    assert find_topics(spoken(("customer", said), language=language))[0]["name"] == reason


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("pt", "Eu acho que sim senhora."),
        ("es", "Tengo una consulta sobre el horno nuevo."),
        ("es", "Lamentablemente no recuerdo cuál era, lamento la molestia."),
        ("es", "Tengo que meter los datos otra vez."),
        ("es", "No sé si esa persona leyó la carta."),
        ("es", "Cuando termine la obra."),
        ("fr", "Il n'est pas encore prêt."),
        ("es", "Internet es normal en el nombre."),
        ("en", "At this stage I am taller than him."),
        ("de", "Endlich gibt es wieder guten Service."),
    ],
)
def test_a_word_of_one_language_is_no_reason_in_another(language, said):
    assert find_reasons(spoken(("customer", said), language=language)) == []


def test_a_word_that_is_mentioned_later_in_passing_is_no_reason():
    call = spoken(
        ("customer", "I would like to cancel my membership at the gym."),
        ("agent", "All right, you will find the invoice in the app."),
    )
    assert [name for name, _ in find_reasons(call)] == ["cancellation"]


def test_a_call_about_nothing_on_the_list_has_no_reason():
    assert find_reasons(customer("The quick brown fox jumps over the lazy dog.")) == []
    assert find_reasons(spoken()) == []


def test_phrases_of_the_call_follow_the_reasons():
    topics = find_topics(
        customer(
            "I want to cancel my membership at the climbing hall.",
            "The climbing hall is always full.",
            "Nobody can use the climbing hall.",
        )
    )
    assert [topic["name"] for topic in topics] == ["cancellation", "climbing_hall"]
    assert topics[0]["confidence"] > topics[1]["confidence"]


def test_the_name_of_the_company_is_no_topic():
    topics = find_topics(
        spoken(
            ("agent", "Grand Plaza, Grand Plaza reservations, how can I help?"),
            ("customer", "My card was charged twice for the same room."),
        )
    )
    assert "grand_plaza" not in [topic["name"] for topic in topics]


def test_another_scorer_may_rank_another_list():
    reasons = [CallReason("cats", "It is about cats."), CallReason("dogs", "It is about dogs.")]
    found = find_reasons(
        customer("My animal is ill."), reasons, lambda passages, listed: [0.0, 3.0]
    )
    assert [name for name, _ in found] == ["dogs"]
