"""Words that decide where a sentence may be cut, in the languages that have a list.

The lists are small. A language without one is cut at punctuation alone.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BEGINS_A_CLAUSE: Final = {
    "en": _words(
        "and but or because so which who whose where when while although though unless until "
        "whereas if since"
    ),
    "es": _words("y e o u pero sino porque aunque cuando donde mientras quien quienes si pues"),
    "fr": _words("et mais ou parce car donc qui où quand lorsque tandis puisque quoique si dont"),
    "de": _words("und aber oder denn sondern weil dass obwohl während wenn damit sodass falls"),
    "it": _words("e ed ma o oppure perché quindi quando mentre dove benché se cui"),
    "pt": _words("e mas ou porque porém então quando enquanto onde embora se quem"),
    "ca": _words("i però o perquè quan mentre on encara si qui"),
}
"""Conjunctions and relative words."""

MAY_BEGIN_A_CLAUSE: Final = {
    "en": _words("that"),
    "es": _words("que"),
    "fr": _words("que"),
    "it": _words("che"),
    "pt": _words("que"),
    "ca": _words("que"),
}
"""Those that are something else as often: only long clauses are cut before them."""

NEEDS_THE_NEXT_WORD: Final = _words(
    "a an the this that these those my your his her its our their no of to in on at by for from "
    "with without about into over under between through during before after against than as "
    "not very and or but because if when which who "
    "el la los las lo un una unos unas este esta ese esa mi tu su nuestro nuestra al del de en con "
    "sin por para sobre entre hasta desde hacia según como más muy que y o pero porque si cuando "
    "le les une des du ce cette ces mon ton son ma ta sa notre votre leur au aux à dans avec sans "
    "pour par sur sous entre chez vers comme plus très et ou mais parce si quand "
    "der die das den dem des ein eine einen einem einer mein dein sein ihr unser zu zum zur im am "
    "von vom mit ohne für aus bei nach über unter zwischen auf als wie sehr und oder aber wenn "
    "il gli i di da con su per tra fra nel nella del della al alla come più molto ed ma se quando "
    "os as um uma uns umas meu minha seu sua do da no na dos das nos nas em com sem por para "
    "els amb sense per sobre com més molt"
)
"""Articles, possessives, prepositions and joining words: what follows them belongs to them."""

NUMBER_WORDS: Final = _words(
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty "
    "ninety hundred thousand million billion point double triple half quarter "
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento mil millón "
    "millones coma punto medio media "
    "zéro deux trois quatre cinq sept huit neuf dix onze douze treize quatorze quinze seize vingt "
    "trente quarante cinquante soixante cent cents mille virgule "
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig vierzig "
    "fünfzig sechzig siebzig achtzig neunzig hundert tausend komma "
    "due tre quattro cinque sei sette otto nove dieci venti trenta quaranta cinquanta cento mila "
    "dois duas quatro sete oito dez vinte trinta quarenta cinquenta cem "
    "dos quatre cinc sis set vuit nou deu vint trenta"
)

DIGITS: Final = {
    word: str(number)
    for words in (
        "zero one two three four five six seven eight nine ten eleven twelve",
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce",
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze",
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici",
        "zero um dois três quatro cinco seis sete oito nove dez onze doze",
    )
    for number, word in enumerate(words.split())
}
"""Recognizers write the same number in words or in digits, and change their mind."""

ABBREVIATIONS: Final = _words(
    "mr mrs ms dr prof st sr jr sra srta dra ud uds mme mlle hr fr nr no vs etc inc ltd co av apt"
)
"""Written with a full stop that ends no sentence."""
