"""Words that a full stop follows without ending the sentence, in the shipped languages."""

from typing import Final

# Words that a full stop follows within a sentence. Such a stop may also end a sentence ("etc."):
# then two sentences are given out as one, which is heard as a shorter pause.
ABBREVIATIONS: Final[dict[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "mr mrs ms dr prof sr jr st no nos vs approx dept ext fig inc ltd co corp gen rev hon "
        "est min max mon tue tues wed thu thur thurs fri sat sun jan feb mar apr jun jul aug sep "
        "sept oct nov dec vol pp ed eg ie cf al tel ave blvd rd",
        "es": "sr sra srta srs sres sras dr dra d da ud uds vd núm num n pág págs tel telf av avda c "
        "cía ej aprox art depto dpto etc máx mín lic ing prof ext pza pl",
        "fr": "m mm mme mmes mlle dr pr st ste no n tél av bd boul ch art env ex cf etc max min p pp "
        "réf apt bât janv févr avr juil sept oct nov déc",
        "de": "hr fr herr dr prof dipl ing nr tel str bzw ca evtl ggf inkl exkl zzgl vgl usw etc max "
        "min mind st mio mrd abs art bd jh sog z u d h b a o v i s jan feb mär apr jun jul aug sep "
        "sept okt nov dez mo di mi do fr sa so std zb ua",
        "it": "sig sigg dott prof avv ing geom arch n num tel pag pagg art ecc es max min p v c via s "
        "gent egr spett ca circa gen feb mar apr mag giu lug ago set sett ott nov dic",
        "pt": "sr sra srs sras dr dra prof profa eng n nº núm num tel av r pág págs art etc ex máx mín "
        "exmo exma ilmo aprox lda ltda cia jan fev mar abr mai jun jul ago set out nov dez",
    }.items()
}
# Those that are words too: "No. I do not." is two sentences, "No. 5" is none.
BEFORE_NUMBERS: Final = frozenset(
    "no nos sun sat mar mai max min set via do so mi sa art fig ago lug mag".split()
)
