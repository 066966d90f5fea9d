import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.agents.speakable import speakable

LANGUAGES = ["en", "en-GB", "es", "fr", "de", "it", "pt", "ja"]


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        # Markdown.
        ("en", "**Yes**, that is `fine`, _really_ ~~no~~.", "Yes, that is fine, really no."),
        ("en", "## Opening hours", "Opening hours"),
        ("en", "- **First** item", "First item"),
        ("en", "2. Open the lid", "two: Open the lid"),
        ("en", "See [our page](https://example.com/a_(b)?x=1 \"t\").", "See our page."),
        ("en", "![A map](https://example.com/map.png)", "A map"),
        ("en", "| Monday | closed |", "Monday, closed"),
        ("en", "|---|:--|", ""),
        ("en", "```python", ""),
        ("en", "Great 😀👍🏽!", "Great!"),
        ("en", "snake_case stays, [[ə]] goes", "snake_case stays, ə goes"),
        ("en", "3 < 5 and 7 > 2, a <b>bold</b> word<br/>", "three five and seven two, a bold word"),
        ("en", "Write to <jo@example.com>.", "Write to jo at example dot com."),
        ("de", "Kunden\u00addienst\u200b", "Kundendienst"),
        ("ja", "これは **12** です", "これは 12 です"),
        # Addresses.
        ("en", "Write to jo_doe@example.com.", "Write to jo underscore doe at example dot com."),
        ("en", "See https://www.example.com/help.", "See example dot com slash help."),
        ("en", "See https://example.com/a/b/c?q=1#x, ok", "See example dot com, ok"),
        ("es", "Escriba a ana-1@correo.es.", "Escriba a ana guion 1 arroba correo punto es."),
        ("fr", "Voir exemple.fr.", "Voir exemple point fr."),
        ("de", "Siehe beispiel.de/hilfe.", "Siehe beispiel Punkt de Schrägstrich hilfe."),
        # Numbers.
        ("en", "1,234.5 km and 0.25 l", "one thousand two hundred and thirty-four point five km "
               "and zero point two five l"),
        ("en", "pages 3-7, 24/7, -5 °C, 25%", "pages three to seven, twenty-four seven, minus five "
               "degrees, twenty-five percent"),
        ("en", "the 3rd of 12 dogs & cats", "the third of twelve dogs and cats"),
        ("en", "version 1.2.3", "version one dot two dot three"),
        ("en", "in 1999, 1999 people", "in nineteen ninety-nine, one thousand nine hundred and "
               "ninety-nine people"),
        ("es", "1.234,5 y el 1.º", "mil doscientos treinta y cuatro coma cinco y el primero"),
        ("fr", "1 234 567 et 2,5 %", "un million deux cent trente-quatre mille cinq cent "
               "soixante-sept et deux virgule cinq pour cent"),
        ("de", "1.234 und 2,05", "eintausendzweihundertvierunddreißig und zwei Komma null fünf"),
        ("it", "3º piano, 1.000", "terzo piano, mille"),
        ("pt", "2ª porta, 25 %", "segunda porta, vinte e cinco por cento"),
        ("en", "2020-2024, 1000-2000 people", "two thousand and twenty to two thousand and "
               "twenty-four, one thousand to two thousand people"),
        ("de", "10.000-20.000", "zehntausend bis zwanzigtausend"),
        ("en", "20°. Now 20° here", "twenty degrees. Now twenty degrees here"),
        ("it", "20° a Roma, 3° piano", "venti gradi a Roma, terzo piano"),
        ("en", "It is $20 — 15 for you", "It is twenty dollars — fifteen for you"),
        # Amounts.
        ("en", "$12.50, €1, $0.01, £1,000", "twelve dollars and fifty cents, one euro, one cent, "
               "one thousand pounds"),
        ("en", "$1.5 million", "one point five million dollars"),
        ("es", "21 €, 1,50 £, 1.000.000 €", "veintiún euros, una libra con cincuenta peniques, "
               "un millón de euros"),
        ("fr", "2 000 000 €, 1 £", "deux millions d'euros, une livre"),
        ("de", "1 € und 12,50 EUR", "ein Euro und zwölf Euro und fünfzig Cent"),
        ("it", "1 € o $2", "un euro o due dollari"),
        ("pt", "2 £ ou 1,01 €", "duas libras ou um euro e um cêntimo"),
        ("en", "$5M, $5k, $5x", "five million dollars, five thousand dollars, $5x"),
        ("pt-BR", "R$ 50,00 e R$1", "cinquenta reais e um real"),
        ("es-MX", "$500", "quinientos pesos"),
        ("es", "$500", "quinientos dólares"),
        # Dates and times.
        ("en", "on 2026-03-28 at 14:30", "on March twenty-eighth, twenty twenty-six at fourteen "
               "thirty"),
        ("en", "03/04/2026, 9:05 pm", "March fourth, twenty twenty-six, nine oh five p m"),
        ("en-GB", "03/04/2026", "April third, twenty twenty-six"),
        ("es", "el 28/03/2026 a las 1:15", "el veintiocho de marzo de dos mil veintiséis a las una "
               "y quince"),
        ("fr", "le 01/05/2026 à 14h30", "le premier mai deux mille vingt-six à quatorze heures "
               "trente"),
        ("de", "am 3. März um 14:30 Uhr", "am dritten März um vierzehn Uhr dreißig"),
        ("de", "der 28.03.2026", "der achtundzwanzigste März zweitausendsechsundzwanzig"),
        ("it", "il 01/05/2026 alle 14:30", "il primo maggio duemilaventisei alle quattordici e "
               "trenta"),
        ("pt", "em 01/05/2026 às 2:30", "em primeiro de maio de dois mil e vinte e seis às duas "
               "horas e trinta"),
        ("en", "on 99.99.2026", "on nine nine, nine nine, two zero two six"),
        ("en", "2026/03/28", "March twenty-eighth, twenty twenty-six"),
        ("es", "el 28-03-2026", "el veintiocho de marzo de dos mil veintiséis"),
        ("en", "version 1.2.26", "version one dot two dot twenty-six"),
        ("de", "am 24.12. zu", "am vierundzwanzigsten Dezember zu"),
        ("de", "Montag, 3. März", "Montag, dritter März"),
        ("de", "Version 1.2. und 192.168.10.10.", "Version eins Komma zwei. und "
               "einhundertzweiundneunzig Punkt einhundertachtundsechzig Punkt zehn Punkt zehn."),
        ("de", "9.00–18.30 Uhr, 9.00 Uhr",  # noqa: RUF001 - a dash
         "neun Uhr bis achtzehn Uhr dreißig, neun Uhr"),
        ("de", "zwischen 9.00 und 18.00 Uhr", "zwischen neun Uhr und achtzehn Uhr"),
        ("it", "dalle 9.00 alle 14.30", "dalle nove alle quattordici e trenta"),
        ("fr", "de 9h à 18 h", "de neuf heures à dix-huit heures"),
        ("pt", "das 9h", "das nove horas"),
        # Telephone numbers and codes.
        ("en", "+1 (555) 123-4567", "plus one, five five five, one two three, four five six seven"),
        ("es", "900 123 456", "nueve cero cero, uno dos tres, cuatro cinco seis"),
        ("fr", "06 12 34 56 78",
         "zéro six, douze, trente-quatre, cinquante-six, soixante-dix-huit"),
        ("de", "030 123456", "null drei null, eins zwei drei, vier fünf sechs"),
        ("en", "order 12345678 or AB12-3X, on 4G", "order one two three, four five six, seven "
               "eight or A B one two, three X, on 4G"),
        ("en", "007", "zero zero seven"),
    ],
)  # fmt: skip
def test_what_is_written_becomes_words(language: str, written: str, spoken: str) -> None:
    assert speakable(written, language) == spoken


SIGNS = [*"0123456789.,:/-+()€$% #*_`[]|<>@", "2026-13-40", "25:99", "EUR", "1.2.3", "º", "h30"]


@given(
    st.lists(st.one_of(st.sampled_from(SIGNS), st.text(max_size=4)), max_size=400).map("".join),
    st.sampled_from(LANGUAGES),
)
def test_any_text_can_be_spoken_and_the_words_are_bounded(text: str, language: str) -> None:
    spoken = speakable(text, language)
    assert len(spoken) < 30_000
    assert not any("\ue000" <= character <= "\uf8ff" for character in spoken)
    assert spoken.isprintable()


@given(st.integers(0, 10**17), st.sampled_from(["en", "es", "fr", "de", "it", "pt"]))
def test_no_digit_is_left_in_the_shipped_languages(number: int, language: str) -> None:
    for written in (str(number), f"{number} €", f"{number},5", f"+{number % 10**12}"):
        spoken = speakable(f"x {written} y", language)
        assert not any(character.isdigit() for character in spoken)
