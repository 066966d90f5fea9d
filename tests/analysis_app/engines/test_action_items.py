"""Action items are what is left to do after the call, in words that stand alone."""

import datetime

import pytest

from analysis_app.engines.local.action_items import find_action_items
from analysis_app.engines.local.due_dates import due_date
from tests.analysis_app.engines.calls import TUESDAY, spoken


def _items(*lines, language="en"):
    items = find_action_items(spoken(*lines, language=language))
    return [(item["assignee"], item["description"]) for item in items]


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("agent", "I'll be honest with you."),
        ("agent", "I'll check that for you."),
        ("agent", "I'll cancel it for you right now."),
        ("agent", "Shall I send you the form?"),
        ("agent", "Could you press the reset button please?"),
        ("agent", "Please tell me your account number."),
        ("agent", "You will need to wait for the tone."),
        ("agent", "I'll send it to you."),
        ("customer", "I'll never call you again."),
        ("customer", "I'll take the blue one."),
        ("customer", "Could you tell me the opening hours?"),
    ],
)
def test_what_is_over_when_the_call_ends_is_no_action_item(who, said):
    assert _items((who, said)) == []


def test_what_the_agent_does_within_the_call_is_no_action_item():
    assert (
        _items(
            ("customer", "Could you change my address?"),
            ("agent", "Yes, I'll update the address for you."),
            ("agent", "I have updated the address."),
        )
        == []
    )


def test_what_the_agent_refuses_is_no_action_item():
    assert (
        _items(
            ("customer", "Can you send another driver?"),
            ("agent", "I'm afraid we can't do that, there is no other car free."),
        )
        == []
    )


def test_a_request_that_nobody_refuses_is_left_to_do():
    assert _items(
        ("customer", "Could you send me a copy of my contract?"), ("agent", "Certainly.")
    ) == [("agent", "Send the customer a copy of the customer's contract")]


def test_an_action_item_stands_alone():
    assert _items(
        ("agent", "I'll email you your tracking link tomorrow."),
        ("agent", "Please bring your passport to my office."),
        ("agent", "A technician will visit you on Friday."),
    ) == [
        ("agent", "Email the customer the customer's tracking link tomorrow"),
        ("customer", "Bring the customer's passport to the agent's office"),
        ("agent", "A technician will visit the customer on Friday"),
    ]


def test_a_promise_of_it_is_the_item_that_it_answers_with_its_date():
    items = find_action_items(
        spoken(
            ("agent", "We still need your last three payslips."),
            ("customer", "Okay, I'll upload them tonight."),
        )
    )
    assert [(item["description"], item["due_date"]) for item in items] == [
        ("Provide the customer's last three payslips", "2026-03-24")
    ]


@pytest.mark.parametrize(
    ("language", "who", "said", "assignee", "words"),
    [
        ("es", "agent", "Mañana irá un técnico a su casa.", "agent", "técnico"),
        ("es", "agent", "Traiga la tarjeta sanitaria, por favor.", "customer", "tarjeta"),
        ("fr", "agent", "Un technicien passera demain matin.", "agent", "technicien"),
        ("fr", "agent", "N'oubliez pas d'apporter la carte grise.", "customer", "carte grise"),
        ("de", "agent", "Ein Techniker kommt am Freitag.", "agent", "Techniker"),
        ("de", "agent", "Bitte bringen Sie den Ausweis mit.", "customer", "Ausweis"),
        ("it", "agent", "Le mando la conferma domani.", "agent", "conferma"),
        ("pt", "agent", "O técnico vai aí amanhã de manhã.", "agent", "técnico"),
    ],
)
def test_promises_and_instructions_are_found_in_six_languages(language, who, said, assignee, words):
    ((found, description),) = _items((who, said), language=language)
    assert found == assignee
    assert words in description


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("this afternoon", datetime.date(2026, 3, 24)),
        ("by the third of April", datetime.date(2026, 4, 3)),
        ("by the twenty-first of May", datetime.date(2026, 5, 21)),
        ("with the third letter", None),
    ],
)
def test_days_may_be_spoken_in_words(said, day):
    assert due_date(f"I'll write to you {said}", "en", TUESDAY) == day


def test_a_name_is_no_promise_to_call():
    assert (
        _items(("customer", "hola me llamo carmen y quería cambiar la cita"), language="es") == []
    )


@pytest.mark.parametrize(
    ("language", "said", "words"),
    [
        ("es", "Voy a abrir una reclamación.", "Abrir una reclamación"),
        ("pt", "Vou pedir a um técnico para ver o contador.", "Pedir a um técnico para ver"),
        ("pt", "Ligo para a senhora até sexta-feira.", "Ligo para a senhora"),
    ],
)
def test_what_the_agent_will_ask_others_for_is_left_to_do(language, said, words):
    assert [what.startswith(words) for _, what in _items(("agent", said), language=language)] == [
        True
    ]


def test_an_ordinal_is_no_day():
    assert due_date("Vou enviar a segunda via da fatura.", "pt", TUESDAY) is None


def test_the_day_of_a_promise_is_its_own_and_not_one_named_before_it():
    said = "je n'ai rien cette semaine mais je vous rappelle demain matin"
    [item] = find_action_items(spoken(("agent", said), language="fr"))
    assert item["due_date"] == (TUESDAY + datetime.timedelta(days=1)).isoformat()


def test_paying_for_a_fault_of_others_is_no_promise_to_pay():
    assert _items(("customer", "Che vergogna, pago per colpa vostra."), language="it") == []
