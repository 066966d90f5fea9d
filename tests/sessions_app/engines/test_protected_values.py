"""Which values a translation must not change, and how they are put back."""

import pytest

from sessions_app.engines.protected_values import find_values, lost_values, restore_values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Room 415, order AB-1234.", ["415", "AB-1234"]),
        ("Write to info@example.com, please.", ["info@example.com"]),
        ("See https://a.example/b?c=1, or x.org.", ["https://a.example/b?c=1", "x.org"]),
        ("The 3rd, at 5pm, 20km away, in 24-hour time.", ["3", "5", "20", "24"]),
        ("Call +1 (555) 010-0199.", ["+1 (555) 010-0199"]),
        ("It costs $25.50, or 1.250,50 €.", ["25.50", "1.250,50"]),
        ("On 12/05/2026 at 10:30.", ["12/05/2026", "10:30"]),
        ("It is spelled K-A-L-L, code X7K9.", ["K-A-L-L", "X7K9"]),
        ("5月3日", ["5", "3"]),
        ("Nothing of the kind, is there?", []),
    ],
)  # fmt: skip
def test_values_are_numbers_codes_and_addresses(text: str, values: list[str]) -> None:
    assert find_values(text) == values


@pytest.mark.parametrize(
    ("text", "translation", "restored"),
    [
        ("order 4711", "pedido 4,711", "pedido 4711"),
        ("code AB-1234", "código ab 1234", "código AB-1234"),
        ("room 415", "sala 451", "sala 415"),
        ("to info@example.com", "a info @ Example. com", "a info@example.com"),
        ("https://a.example/Bc", "https: //a.example/bc", "https://a.example/Bc"),
        ("from 12 to 34 or 56", "de 12 a 35 o 56", "de 12 a 34 o 56"),
        ("call 555 0100 now", "llame 5550100 ahora", "llame 555 0100 ahora"),
    ],
)
def test_a_value_that_came_in_another_form_is_put_back(
    text: str, translation: str, restored: str
) -> None:
    assert restore_values(text, translation, "es") == restored


def test_a_value_is_lost_when_it_occurs_less_often_than_in_the_text() -> None:
    assert lost_values("15 or 15", "15", "es") == ["15"]
    assert lost_values("15 or 150", "150", "es") == ["15"]
    assert lost_values("4.5", "14.5", "es") == ["4.5"]


def test_small_numbers_may_be_written_out() -> None:
    assert lost_values("5 gatos y 2 perros", "five cats and two dogs", "en") == []
    assert lost_values("30, 25 y 99", "thirty, twenty-five and ninety nine", "en") == []
    assert lost_values("40 euros", "forty-two euros", "en") == ["40"]
    assert lost_values("30 years", "treinta años", "es") == []
    assert lost_values("007", "seven", "en") == ["007"]


def test_digits_of_another_script_are_the_same_digits() -> None:
    assert lost_values("٤٧١١", "4711", "en") == []
