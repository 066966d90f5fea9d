"""The words that the shipped languages have for what is written with signs and digits."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Currency:
    """``feminine`` holds for the language's word for it, where that matters."""

    one: str
    many: str
    cent: str
    cents: str
    feminine: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """``comma`` is the decimal separator; the other of ``.`` and ``,`` separates thousands.

    ``point`` is said for it. ``dot`` to ``underscore`` are said in addresses, ``of_millions``
    between a round number of millions and a currency.
    """

    comma: str
    point: str
    minus: str
    percent: str
    ampersand: str
    up_to: str
    dot: str
    at: str
    slash: str
    hyphen: str
    underscore: str
    plus: str
    cents_joined: str
    months: tuple[str, ...]
    currencies: dict[str, Currency]
    of_millions: str = ""
    degrees: str = ""


def _months(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WORDS: Final[dict[str, Words]] = {
    "en": Words(
        comma=".",
        point="point",
        minus="minus",
        percent="percent",
        ampersand="and",
        up_to="to",
        dot="dot",
        at="at",
        slash="slash",
        hyphen="dash",
        underscore="underscore",
        plus="plus",
        cents_joined="and",
        months=_months(
            "January February March April May June July August September October November December"
        ),
        currencies={
            "EUR": Currency("euro", "euros", "cent", "cents"),
            "USD": Currency("dollar", "dollars", "cent", "cents"),
            "GBP": Currency("pound", "pounds", "penny", "pence"),
            "CHF": Currency("Swiss franc", "Swiss francs", "centime", "centimes"),
            "BRL": Currency("real", "reais", "centavo", "centavos"),
        },
        degrees="degrees",
    ),
    "es": Words(
        comma=",",
        point="coma",
        minus="menos",
        percent="por ciento",
        ampersand="y",
        up_to="a",
        dot="punto",
        at="arroba",
        slash="barra",
        hyphen="guion",
        underscore="guion bajo",
        plus="más",
        cents_joined="con",
        months=_months(
            "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
            "diciembre"
        ),
        currencies={
            "EUR": Currency("euro", "euros", "céntimo", "céntimos"),
            "USD": Currency("dólar", "dólares", "centavo", "centavos"),
            "GBP": Currency("libra", "libras", "penique", "peniques", feminine=True),
            "CHF": Currency("franco suizo", "francos suizos", "céntimo", "céntimos"),
            "BRL": Currency("real", "reales", "centavo", "centavos"),
            "peso": Currency("peso", "pesos", "centavo", "centavos"),
        },
        of_millions="de",
        degrees="grados",
    ),
    "fr": Words(
        comma=",",
        point="virgule",
        minus="moins",
        percent="pour cent",
        ampersand="et",
        up_to="à",
        dot="point",
        at="arobase",
        slash="barre oblique",
        hyphen="tiret",
        underscore="tiret bas",
        plus="plus",
        cents_joined="et",
        months=_months(
            "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"
        ),
        currencies={
            "EUR": Currency("euro", "euros", "centime", "centimes"),
            "USD": Currency("dollar", "dollars", "cent", "cents"),
            "GBP": Currency("livre", "livres", "penny", "pence", feminine=True),
            "CHF": Currency("franc suisse", "francs suisses", "centime", "centimes"),
            "BRL": Currency("réal", "réaux", "centavo", "centavos"),
        },
        of_millions="de",
        degrees="degrés",
    ),
    "de": Words(
        comma=",",
        point="Komma",
        minus="minus",
        percent="Prozent",
        ampersand="und",
        up_to="bis",
        dot="Punkt",
        at="ät",
        slash="Schrägstrich",
        hyphen="Bindestrich",
        underscore="Unterstrich",
        plus="plus",
        cents_joined="und",
        months=_months(
            "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
        ),
        currencies={
            "EUR": Currency("Euro", "Euro", "Cent", "Cent"),
            "USD": Currency("Dollar", "Dollar", "Cent", "Cent"),
            "GBP": Currency("Pfund", "Pfund", "Penny", "Pence"),
            "CHF": Currency("Franken", "Franken", "Rappen", "Rappen"),
            "BRL": Currency("Real", "Real", "Centavo", "Centavo"),
        },
        degrees="Grad",
    ),
    "it": Words(
        comma=",",
        point="virgola",
        minus="meno",
        percent="per cento",
        ampersand="e",
        up_to="a",
        dot="punto",
        at="chiocciola",
        slash="barra",
        hyphen="trattino",
        underscore="trattino basso",
        plus="più",
        cents_joined="e",
        months=_months(
            "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
            "dicembre"
        ),
        currencies={
            "EUR": Currency("euro", "euro", "centesimo", "centesimi"),
            "USD": Currency("dollaro", "dollari", "centesimo", "centesimi"),
            "GBP": Currency("sterlina", "sterline", "penny", "pence", feminine=True),
            "CHF": Currency("franco svizzero", "franchi svizzeri", "centesimo", "centesimi"),
            "BRL": Currency("real", "real", "centavo", "centavos"),
        },
        of_millions="di",
        degrees="gradi",
    ),
    "pt": Words(
        comma=",",
        point="vírgula",
        minus="menos",
        percent="por cento",
        ampersand="e",
        up_to="a",
        dot="ponto",
        at="arroba",
        slash="barra",
        hyphen="hífen",
        underscore="sublinhado",
        plus="mais",
        cents_joined="e",
        months=_months(
            "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
            "dezembro"
        ),
        currencies={
            "EUR": Currency("euro", "euros", "cêntimo", "cêntimos"),
            "USD": Currency("dólar", "dólares", "cêntimo", "cêntimos"),
            "GBP": Currency("libra", "libras", "péni", "pence", feminine=True),
            "CHF": Currency("franco suíço", "francos suíços", "cêntimo", "cêntimos"),
            "BRL": Currency("real", "reais", "centavo", "centavos"),
        },
        of_millions="de",
        degrees="graus",
    ),
}
