"""Small sentiment word lists for telephone service, -4…4 on VADER's scale. Written for this project.

They cover words that carry a mood in service calls, with the inflections heard most; a language
that has none is scored only through its English translation.
"""

# Added to VADER's English list: service words it does not know, or knows from film reviews.
SERVICE_WORDS: dict[str, float] = {
    "refund": -0.4,
    "delayed": -1.4,
    "delay": -1.3,
    "broken": -1.8,
    "unacceptable": -3.0,
    "ridiculous": -2.6,
    "overcharged": -2.2,
    "waiting": -0.7,
    "again": -0.3,
    "sorted": 1.6,
    "resolved": 1.8,
    "fixed": 1.5,
    "wonderful": 3.0,
    "brilliant": 2.8,
    "useless": -2.4,
    "cancel": -0.9,
    "complaint": -1.8,
    "supervisor": -0.6,
    "manager": -0.3,
    "damaged": -1.8,
    "missing": -1.2,
    "late": -0.9,
    "rude": -2.4,
    "appreciate": 2.0,
    "works": 1.2,
    "working": 0.5,
    "furious": -3.2,
    "outrageous": -2.8,
    "disgusting": -2.8,
}


def _words(weight: float, words: str) -> dict[str, float]:
    return dict.fromkeys(words.split(), weight)


LEXICONS: dict[str, dict[str, float]] = {
    "es": {
        **_words(
            3.0,
            "excelente maravilloso maravillosa fantástico fantástica encantado encantada estupendo",
        ),
        **_words(
            2.2, "perfecto perfecta genial contento contenta feliz amable bien mejor agradezco"
        ),
        **_words(
            1.6, "gracias resuelto solucionado funciona alegro buena bueno gusto fácil rápido"
        ),
        **_words(
            -1.2, "problema problemas retraso tarde error difícil lento esperando queja falta"
        ),
        **_words(
            -2.0, "mal mala malo molesto molesta roto rota cancelar peor enfadado enfadada triste"
        ),
        **_words(
            -3.0,
            "inaceptable horrible terrible ridículo vergüenza furioso furiosa pésimo pésima estafa harto harta",
        ),
    },
    "de": {
        **_words(3.0, "ausgezeichnet wunderbar fantastisch hervorragend großartig begeistert"),
        **_words(2.2, "perfekt super toll zufrieden freundlich prima glücklich klasse freut"),
        **_words(1.6, "danke dank gut gelöst erledigt funktioniert schnell gerne besser"),
        **_words(
            -1.2, "problem probleme verspätung fehler spät leider schwierig warte langsam fehlt"
        ),
        **_words(
            -2.0, "schlecht kaputt ärgerlich verärgert kündigen beschwerde enttäuscht defekt sauer"
        ),
        **_words(
            -3.0,
            "inakzeptabel unverschämt furchtbar schrecklich katastrophe frechheit wütend betrug lächerlich",
        ),
    },
    "fr": {
        **_words(3.0, "excellent excellente merveilleux fantastique formidable ravi ravie"),
        **_words(2.2, "parfait parfaite super génial content contente heureux heureuse aimable"),
        **_words(1.6, "merci bien résolu réglé fonctionne rapide facile bonne bon mieux"),
        **_words(-1.2, "problème problèmes retard erreur difficile lent attends manque tard"),
        **_words(
            -2.0,
            "mal mauvais mauvaise cassé cassée fâché fâchée déçu déçue résilier réclamation pire",
        ),
        **_words(
            -3.0,
            "inacceptable horrible terrible ridicule scandaleux furieux furieuse honte arnaque",
        ),
    },
    "pt": {
        **_words(3.0, "excelente maravilhoso maravilhosa fantástico fantástica ótimo ótima"),
        **_words(
            2.2, "perfeito perfeita contente feliz gentil melhor agradeço satisfeito satisfeita"
        ),
        **_words(1.6, "obrigado obrigada resolvido funciona bom boa bem rápido fácil"),
        **_words(-1.2, "problema problemas atraso erro difícil lento esperando falta tarde"),
        **_words(-2.0, "mal ruim quebrado quebrada chateado chateada cancelar reclamação pior"),
        **_words(
            -3.0, "inaceitável horrível terrível ridículo vergonha furioso furiosa péssimo péssima"
        ),
    },
    "it": {
        **_words(3.0, "eccellente meraviglioso meravigliosa fantastico fantastica ottimo ottima"),
        **_words(2.2, "perfetto perfetta contento contenta felice gentile meglio benissimo"),
        **_words(1.6, "grazie risolto funziona bene buono buona veloce facile sistemato"),
        **_words(-1.2, "problema problemi ritardo errore difficile lento aspettando manca tardi"),
        **_words(
            -2.0,
            "male cattivo rotto rotta arrabbiato arrabbiata disdire reclamo deluso delusa peggio",
        ),
        **_words(
            -3.0,
            "inaccettabile orribile terribile ridicolo vergogna furioso furiosa pessimo pessima truffa",
        ),
    },
}

NEGATIONS: dict[str, frozenset[str]] = {
    "es": frozenset({"no", "nunca", "sin", "nada", "ni"}),
    "de": frozenset({"nicht", "kein", "keine", "keinen", "nie", "ohne"}),
    "fr": frozenset({"pas", "ne", "jamais", "sans", "aucun", "aucune"}),
    "pt": frozenset({"não", "nunca", "sem", "nada", "nem"}),
    "it": frozenset({"non", "mai", "senza", "nessun", "nessuna"}),
}
