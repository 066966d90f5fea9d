"""Phrases that Whisper writes on noise, music and silence, mostly from the ends of videos.

Collected from the model's output on noise and from users' reports. A text is compared with them
only where the evidence of speech is weak, because people do say "thank you".
"""

import re

_PATTERNS = r"""
thank(s| you)( (you|so|very|much|all|guys|everyone|again))*
thank(s| you)( so| very)?( much)? for (watching|listening|viewing|joining)( us| me)?.*
thank(s| you) for your (attention|time|patience)
(please )?(like and |don't forget to )*(like|subscribe)( to (my|our|the|this) channel)?.*
((i|we)('ll| will) )?see you( all| again| guys)* (in the |on the )?(next|soon|later|again).*
(the )?(sub)?titles? (by|provided|created).*
(closed )?captions?(ing)? (by|provided|performed).*
transcri(bed|ption) (by|outsourcing).*
.*(amara ?org|zeoranger|opensubtitles|rev com|otter ai).*
www .*
you|bye( bye)*|okay|ok|oh|uh|um|hmm+|mm+|so|the|i|and|yeah|huh|ah+|music|silence|applause|beep
(untertitel|sous-?titres?|sous-?titrage|subt[ií]tulos?|legendas?|sottotitoli) .*
(ondertiteling|ondertitels|napisy|titulky|субтитры|редактор|korrektur) .*
(vielen )?dank(e)?( sch[öo]n)?( f[üu]rs (zuschauen|zuh[öo]ren))?
bis zum n[äa]chsten mal|das war's
merci( beaucoup)?( d'avoir regard[ée].*)?
(muchas )?gracias( por (ver|su atenci[óo]n).*)?|suscr[ií]bete.*|hasta la pr[óo]xima
obrigad[oa](s)?( por assistir.*)?|at[ée] a pr[óo]xima
grazie( (per la visione|a tutti)?.*)?
bedankt( voor het kijken.*)?|tot de volgende keer
продолжение следует|спасибо( за (просмотр|внимание))?|до свидания
dzi[ęe]kuj[ęe]( za (uwag[ęe]|ogl[ąa]danie).*)?
te[şs]ekk[üu]rler|izledi[ğg]iniz i[çc]in te[şs]ekk[üu]r.*
ご視聴ありがとうございました|おやすみなさい|チャンネル登録.*
谢谢(大家|观看)?.*|請不吝點贊.*|字幕.*|订阅.*
시청해 주셔서 감사합니다|감사합니다|mbc 뉴스.*
شكرا( للمشاهدة)?|اشتركوا في القناة.*|ترجمة.*
"""

# Whisper writes these on noise too, but callers answer with them all the time.
_SHORT_ANSWERS = frozenset({"okay", "ok", "yeah", "so"})

_HALLUCINATED = re.compile("|".join(f"(?:{line})" for line in _PATTERNS.split("\n") if line))


def is_known_hallucination(text: str) -> bool:
    """Whether the whole text is a phrase that Whisper writes when there is no speech."""
    spoken = _words(text)
    if not spoken:
        return True
    half = spoken[: len(spoken) // 2]
    if half and spoken == half * 2:
        spoken = half
    return _HALLUCINATED.fullmatch(" ".join(spoken)) is not None


def is_short_answer(text: str) -> bool:
    """Whether the text is one word that callers often answer with, such as "okay"."""
    spoken = _words(text)
    return len(spoken) == 1 and spoken[0] in _SHORT_ANSWERS


def _words(text: str) -> list[str]:
    lower = text.lower().replace("\u2019", "'")
    return re.sub(r"[^\w'\- ]+", " ", lower).split()
