"""Greetings, introductions, thanks and goodbyes: stripped from sentences, which keep their rest."""

import re

SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

# A name after "my name is": capitalized words, or in a transcript without capitals two at most.
_NAME = r"(?:(?:(?-i:[A-ZÀ-Þ])[\w'-]*)(?:\s+(?-i:[A-ZÀ-Þ])[\w'-]*){0,3}|(?!and\b|but\b|calling\b|from\b|y\b|und\b|et\b|e\b)\w+(?:\s+(?!(?:and|but|calling|from|with|i|i'm|i'd|i've|my|we|y|tengo|quiero|quería|quisiera|necesito|he|mi|und|ich|mein|meine|et|j'\w+|je|mon|ma|e|ho|vorrei|volevo|la|il|tenho|quero|queria|não|a|o)\b)\w+)?)"
_GREETING = r"(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|hola|buenos días|buenas (?:tardes|noches)|hallo|guten (?:tag|morgen|abend)|grüß gott|bonjour|bonsoir|olá|bom dia|boa (?:tarde|noite)|buongiorno|buonasera|salve|pronto|ciao)"
_LEADING = tuple(
    re.compile(rf"^(?:{pattern})(?!\w)[\s,.;:!…-]*", re.IGNORECASE)
    for pattern in (
        rf"{_GREETING}(?: (?:there|sir|madam|ma'am|again))?(?:,? (?-i:[A-ZÀ-Þ])\w+(?=[,.!]))?",
        rf"(?:my name(?: is|'s)|mi nombre es|me llamo|mein name ist|ich heiße|je m'appelle|mon nom est|(?:o )?meu nome é|(?:eu )?me chamo|chamo-me|mi chiamo|il mio nome è) {_NAME}",
        r"(?:this is|i am|i'm|you're speaking (?:to|with)|you are speaking (?:to|with)|habla|soy|hier (?:ist|spricht)|ici|aquí|sono|aqui é) (?-i:[A-ZÀ-Þ])[\w'-]*(?: (?-i:[A-ZÀ-Þ])[\w'-]*){0,3}(?: (?:speaking|here|from (?-i:[A-ZÀ-Þ])\w+))?",
        r"(?:and|y|und|et|e)(?=[\s,]+(?:i|i'm|i'd|i've|my|we|quiero|quisiera|me|mi|ich|mein|je|j'|mon|ma|quero|gostaria|vorrei|ho)\b)",
        r"(?:okay|ok|oh|ah|um|uh|hmm|mhm|please|alright|all right)",
        # "No, I am …", but never the "no" of "no refund came" or "no puedo".
        r"(?:yes|yeah|yep|no|well|so|right|sure|actually|great|perfect|sí|vale|bueno|pues|ja|nein|also|genau|oui|non|alors|bon|sim|não|bem|sì|allora)(?=\s*[,.;:!…]|\s+(?:i|i'm|i've|i'd|my|we|it's|ich|je|j'ai)\b)",
        r"(?:thank you|thanks)(?: so much| very much| a lot)?(?: (?:for (?:calling|taking my call|your (?:call|patience|help|time|understanding|assistance|reply))))?(?: [\w' ]{1,24}(?=[,.!]))?",
        r"(?:muchas )?gracias(?: por (?:llamar|su (?:llamada|ayuda|paciencia)))?|(?:vielen |herzlichen )?dank(?:e)?(?: für (?:ihren anruf|ihre (?:hilfe|geduld)))?|merci(?: beaucoup)?(?: (?:pour|de) (?:votre (?:appel|aide|patience)))?|(?:muito )?obrigad[oa]|grazie(?: mille)?",
        r"(?:i'm|i am) (?:so |very |really )?sorry(?: (?:to hear|about) that)?|(?:i )?apologi[sz]e|lo siento(?: mucho)?|es tut mir leid|je suis désolée?|sinto muito|mi dispiace",
        r"i (?:was (?:just )?wondering|hope) (?:if )?you can help me(?: with)?|(?:can|could) you help me(?: please)?",
        r"how are you(?: doing)?(?: today)?|i'm (?:fine|good|well)(?: thank you| thanks)?|nice to meet you",
    )
)
_ALONE = re.compile(
    r"^(?:(?:you(?:'re| are) )?(?:very |most )?welcome|no problem|my pleasure|(?:good)?bye(?: bye)?|take care|have an? (?:\w+ )?(?:day|evening|weekend|afternoon|night|one)[\w ]*"
    r"|(?:how|what) (?:can|may|could) i (?:help|assist|do)[\w ]*|is there anything else[\w ',]*|anything else[\w ',]*|(?:no,? )?that(?:'s| is| was| will be) (?:all|everything|it)[\w ]*"
    r"|(?:oh |well )?(?:that|it|this)(?:'s| is| was| sounds| would be)? (?:so |very |really |just |all )?(?:great|good|wonderful|perfect|fine|lovely|excellent|brilliant|amazing|awesome|fantastic|nice|kind|helpful|all right|okay|understandable)(?: (?:news|to (?:hear|know)|of you|thank you|thanks|for me|by me))*"
    r"|(?:this|the|your) call (?:is|may be|will be|is being) (?:being )?(?:recorded|monitored)[\w ]*|i (?:really )?appreciate (?:it|that|your)[\w ]*|you too|same to you|i (?:see|understand|know)|of course|certainly|absolutely|got it"
    # Each word ends before the next: "good" and "bye" also make "goodbye", and two readings of each
    # of many words would take forever.
    r"|(?:(?:great|good|wonderful|perfect|fine|lovely|excellent|brilliant|amazing|awesome|fantastic|super|goodbye|thank you|thanks|much|so|very|a lot|for|your|the|help|all|today|calling|sir|madam|ma'am|bye|and|have|day|nice|you)(?!\w)|\W)+"
    r"|(?:que tenga|hasta|adiós|de nada|eso es todo|en qué puedo)[\w ]*|(?:auf wieder|einen schönen|schönen tag|tschüss|gern geschehen|wie kann ich|das war)[\w ]*|(?:au revoir|bonne (?:journée|soirée)|je vous en prie|comment puis-je|c'est tout)[\w ]*"
    r"|(?:tenha um|até logo|tchau|de nada|como posso)[\w ]*|(?:arrivederci|buona giornata|prego|come posso)[\w ]*)$",
    re.IGNORECASE,
)
_TRAILING = re.compile(
    r"(?:[\s,]+(?:please|thank you|thanks|okay|ok|right|alright|por favor|gracias|bitte|danke|merci|s'il vous plaît|obrigad[oa]|grazie|per favore|sir|madam|ma'am))+(?=[\s.!?]*$)",
    re.IGNORECASE,
)
LONGEST_COURTESY = 14  # words
LONGEST_ENDING = 120  # characters in which courtesies at the end are looked for


def split_sentences(text: str) -> list[str]:
    """The text cut after ``.``, ``!`` and ``?``."""
    return [sentence for sentence in SENTENCE_END.split(text.strip()) if sentence]


def joined(texts: list[str]) -> str:
    """Texts as sentences of one text: each starts with a capital and ends with a full stop."""
    sentences = (text.strip().rstrip(",;:-") for text in texts)
    return " ".join(
        text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", "…")) else ".")
        for text in sentences
        if text
    )


def without_courtesies(sentence: str) -> str:
    """What a sentence says beyond courtesies; empty if it is nothing else.

    "Hi, my name is Ann and I would like to transfer money." → "I would like to transfer money."
    """
    rest = sentence.strip()
    stripped = True
    while stripped and rest:
        stripped = False
        for pattern in _LEADING:
            shorter = pattern.sub("", rest, count=1)
            if shorter != rest:
                rest, stripped = shorter, True
    rest = rest[:-LONGEST_ENDING] + _TRAILING.sub("", rest[-LONGEST_ENDING:])
    if len(rest.split()) <= LONGEST_COURTESY and _ALONE.match(rest.strip(" .,!?;:")):
        return ""
    return rest if rest == sentence.strip() else rest[:1].upper() + rest[1:]


def says_more_than_courtesies(text: str) -> bool:
    return any(without_courtesies(sentence).strip(" .,!?") for sentence in split_sentences(text))
