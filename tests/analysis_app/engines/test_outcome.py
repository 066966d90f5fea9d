"""The outcome of a call and the segment that shows it."""

import pytest

from analysis_app.engines.local.cues import patterns
from analysis_app.engines.local.summary import summarize
from tests.analysis_app.engines.calls import spoken

LISTS = [
    "hold",
    "reason",
    "done",
    "satisfied",
    "thanks",
    "refused",
    "displeased",
    "sarcasm",
    "open",
    "promised",
    "conditional",
    "asks",
]


def _outcome(*lines, language="en"):
    summary = summarize(spoken(*lines, language=language), language=language)
    return summary["outcome"], summary["outcome_segment_id"]


@pytest.mark.parametrize("name", LISTS)
def test_each_list_of_words_exists_in_six_languages(name):
    assert set(patterns(name)) == {"en", "es", "fr", "de", "it", "pt"}


ENDS = [
    ("en", "My card is lost.", "I've blocked the card now.", "resolved"),
    ("en", "I want my money back.", "I'm afraid we can't refund it.", "unresolved"),
    ("en", "My line is dead.", "A technician will visit you on Friday.", "follow_up"),
    ("es", "He perdido mi tarjeta.", "Ya he bloqueado la tarjeta.", "resolved"),
    ("es", "Quiero mi dinero.", "Lo siento, no podemos devolverlo.", "unresolved"),
    ("es", "No tengo línea.", "Mañana irá un técnico a su casa.", "follow_up"),
    ("fr", "J'ai perdu ma carte.", "Je viens de bloquer la carte.", "resolved"),
    ("fr", "Je veux un remboursement.", "Malheureusement ce n'est pas possible.", "unresolved"),
    ("fr", "Je n'ai plus internet.", "Un technicien passera demain.", "follow_up"),
    ("de", "Meine Karte ist weg.", "Ich habe die Karte gesperrt.", "resolved"),
    ("de", "Ich will mein Geld zurück.", "Das geht leider nicht.", "unresolved"),
    ("de", "Die Leitung ist tot.", "Ein Techniker kommt am Freitag.", "follow_up"),
    ("it", "Ho perso la carta.", "Ho bloccato la carta.", "resolved"),
    ("it", "Voglio il rimborso.", "Purtroppo non possiamo farlo.", "unresolved"),
    ("it", "Sono senza linea.", "Le mando un tecnico domani.", "follow_up"),
    ("pt", "Perdi o cartão.", "Já bloqueei o cartão.", "resolved"),
    ("pt", "Quero o reembolso.", "Infelizmente não é possível.", "unresolved"),
    ("pt", "Estou sem internet.", "O técnico vai aí amanhã.", "follow_up"),
]


@pytest.mark.parametrize(("language", "asked", "answered", "outcome"), ENDS)
def test_what_the_agent_does_refuses_or_promises_is_the_outcome(language, asked, answered, outcome):
    lines = (("customer", asked), ("agent", answered))
    assert _outcome(*lines, language=language) == (outcome, "seg_1")


def test_without_words_that_show_an_outcome_it_is_unknown():
    assert _outcome(
        ("agent", "Hello, you have reached Castle Bank."),
        ("customer", "I want to ask about the fees on my"),
        ("agent", "Hello? Are you still there?"),
    ) == ("unknown", None)


def test_thanks_for_nothing_does_not_resolve_a_call():
    outcome, _ = _outcome(
        ("customer", "My parcel is lost."),
        ("agent", "It is not in the system."),
        ("customer", "Great, thank you for nothing, you have been very helpful."),
    )
    assert outcome == "unresolved"


def test_a_wish_does_not_resolve_a_call():
    assert _outcome(
        ("customer", "The line is dead."),
        ("agent", "I see, we'll write to you as soon as it's fixed."),
    ) == ("follow_up", "seg_1")


def test_an_agent_who_asks_whether_it_works_resolves_nothing():
    assert _outcome(("customer", "The line is dead."), ("agent", "And is it working now?")) == (
        "unknown",
        None,
    )


def test_a_refusal_that_the_agent_makes_up_for_is_no_refusal():
    assert _outcome(
        ("customer", "My internet is down."),
        ("agent", "I can't fix the line from here. A technician will visit you tomorrow."),
    ) == ("follow_up", "seg_1")


def test_something_sent_later_does_not_leave_a_call_open():
    assert _outcome(
        ("customer", "I lost my card."),
        ("agent", "I've blocked it. You will receive a new one by Friday."),
        ("customer", "Thank you."),
    ) == ("resolved", "seg_1")


def test_an_outcome_is_read_in_a_typographic_apostrophe_too():
    assert _outcome(("customer", "My card is lost."), ("agent", "I\u2019ve blocked it."))[0] == (
        "resolved"
    )


@pytest.mark.parametrize(
    ("language", "asked", "answered"),
    [
        ("es", "Me cobraron dos veces.", "Ya le he reembolsado el importe, lo verá en tres días."),
        (
            "fr",
            "J'ai payé deux fois.",
            "Je viens de vous rembourser, vous le verrez sous trois jours.",
        ),
        ("it", "Ho pagato due volte.", "Ho rimborsato l'importo, lo vede entro tre giorni."),
        ("pt", "Paguei duas vezes.", "Já reembolsei o valor, aparece em três dias."),
    ],
)
def test_what_is_done_and_takes_effect_in_some_days_resolves_a_call(language, asked, answered):
    lines = (("customer", asked), ("agent", answered))
    assert _outcome(*lines, language=language) == ("resolved", "seg_1")


@pytest.mark.parametrize(
    ("language", "answered"),
    [
        ("en", "We don't have any other rooms."),
        ("es", "No tenemos más habitaciones."),
        ("it", "Non abbiamo altre camere."),
        ("pt", "Não temos outros quartos."),
    ],
)
def test_nothing_else_to_offer_is_a_refusal(language, answered):
    lines = (("customer", "The room is loud."), ("agent", answered))
    assert _outcome(*lines, language=language) == ("unresolved", "seg_1")
