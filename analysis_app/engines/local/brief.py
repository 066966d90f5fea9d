"""The brief: why the customer calls and what the agent did or promised, in the call's own words."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from analysis_app.engines.base import Call, Turn, base_language
from analysis_app.engines.local.courtesies import joined, split_sentences, without_courtesies
from analysis_app.engines.local.cues import ASKS, REASON, matches
from analysis_app.engines.local.outcome import Label, sentence_cues
from analysis_app.engines.local.redaction import Secrets, asks_for_secret, is_mostly_hidden

MOST_WORDS = 40
REASON_WORDS = 22  # at most; the agent's part takes what is left
ANSWERS = 2  # sentences of the agent's part
SHORTEST = 3  # words of a sentence that says something
LONG_ENOUGH = 5  # words of a statement that is told without showing an outcome
# How the parties are called in the language of the result.
PARTIES = {
    "en": ("Customer", "Agent"),
    "es": ("Cliente", "Agente"),
    "fr": ("Client", "Agent"),
    "de": ("Kunde", "Agent"),
    "it": ("Cliente", "Operatore"),
    "pt": ("Cliente", "Agente"),
}
_LONG_WORD = re.compile(r"\w{5,}")
_CLAUSE = re.compile(
    r"[,;:]\s|\s(?=(?:and|but|because|so|y|pero|et|mais|und|aber|weil|e|ma|mas)\s)"
)
# Sounds, and words that join a sentence to the one before it.
_LEADING = re.compile(
    r"^(?:(?:um|uh|yeah|yes|hi|oh|okay|so|well|but|then|certainly|sure|pues|entonces|pero|sí|hola"
    r"|alors|mais|d'accord|donc|ma|allora|also|dann|aber|então|mas|bom)\W+)+",
    re.IGNORECASE,
)
# What is left of an introduction whose name is hidden: "hi this is [name]".
_INTRODUCTION = re.compile(
    r"^(?:(?:um|uh|and|yes|yeah|hi|hello|hey|this|is|i'm|i|am|it's|ja|hallo|guten|tag|hier|ist|spricht|ich|bin|der|die|herr|frau"
    r"|moi|madame|monsieur|señora?|signora?|senhora?|mrs?|ms|oui|allô|bonjour|ici|c'est|je|suis|sí|hola|buenos|buenas|días|tardes|soy|habla|pronto|salve|buongiorno|sono|sì|sim|olá"
    r"|bom|dia|boa|tarde|aqui|é|fala|eu|sou|a|o)[\s,]+)+\[name\][\s,.]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a turn says beyond courtesies in one sentence, with its secrets hidden."""

    turn: Turn
    position: int  # of the turn in the call
    language: str  # of the text
    text: str
    follows_request: bool  # the agent has just asked for a name, a number or a secret

    @property
    def is_question(self) -> bool:
        text = self.text.rstrip()
        return text.endswith("?") or (
            text[-1:].isalpha() and matches(ASKS, self.language, text) is not None
        )


def read_sentences(call: Call, language: str, secrets: Secrets) -> list[Sentence]:
    """In the wanted language, where it is spoken or translated; else as spoken."""
    found: list[Sentence] = []
    asked = False
    for position, turn in enumerate(call.turns):
        wanted = call.text_in(turn, language)
        text = turn.text if wanted is None else wanted
        spoken = base_language(turn.language) if wanted is None else language
        for sentence in split_sentences(text):
            rest = _INTRODUCTION.sub("", secrets.hide(without_courtesies(sentence)))
            if len(rest.split()) >= SHORTEST:
                found.append(Sentence(turn, position, spoken, rest, asked))
        asked = turn.speaker == "agent" and asks_for_secret(turn)
    return found


def shortened(text: str, limit: int, start: int = 0) -> str:
    """At most ``limit`` words, up to the end of a clause. A long text is read from ``start``."""
    if len(_LEADING.sub("", text).split()) > limit:
        text = text[start:]
    text = _LEADING.sub("", text)
    words = text.split()
    if len(words) <= limit:
        return text
    cut = " ".join(words[:limit])
    ends = [match.start() for match in _CLAUSE.finditer(cut)]
    long_enough = [end for end in ends if len(cut[:end].split()) >= limit // 2]
    return (cut[: long_enough[-1]] if long_enough else cut).rstrip(" ,;:") + "…"


def _centrality(sentences: Sequence[Sentence]) -> list[float]:
    """How much each sentence holds of the long words that the call repeats; about 0 to 3."""
    bags = [set(_LONG_WORD.findall(sentence.text.lower())) for sentence in sentences]
    counts = Counter(word for bag in bags for word in bag)
    return [sum(math.sqrt(counts[word]) for word in bag) / math.sqrt(len(bag) + 3) for bag in bags]


def _reason_score(sentence: Sentence, order: int, turns: int) -> float:
    """How likely the customer's sentence number ``order`` is the reason for the call."""
    if is_mostly_hidden(sentence.text) or sentence.position > max(4, turns * 0.6):
        return 0.0
    words = len(sentence.text.split())
    score = 1.0 + min(words, 12) / 6 - 0.5 * order
    if matches(REASON, sentence.language, sentence.text):
        score += 2.5
    if sentence.follows_request:
        score -= 1.5
    return score


def find_reason(sentences: Sequence[Sentence], turns: int) -> Sentence | None:
    """The sentence in which the customer says why they call."""
    own = [sentence for sentence in sentences if sentence.turn.speaker == "customer"]
    scores = [
        score + central if (score := _reason_score(sentence, order, turns)) > 0 else 0.0
        for order, (sentence, central) in enumerate(zip(own, _centrality(own), strict=True))
    ]
    if not scores or max(scores) <= 0:
        return None
    return own[scores.index(max(scores))]


def _with_next(sentences: Sequence[Sentence], first: Sentence) -> str:
    """The reason, and the rest of its turn as long as it fits."""
    match = matches(REASON, first.language, first.text)
    text = shortened(first.text, REASON_WORDS, match.start() if match else 0)
    for other in sentences[sentences.index(first) + 1 :]:
        longer = joined([text, other.text])
        if other.turn is not first.turn or len(longer.split()) > REASON_WORDS:
            break
        text = longer
    return text


def _agent_cues(sentences: Sequence[Sentence], label: Label, turns: int) -> Iterator[float]:
    """How much each sentence of the agent says about what was done; 0 for others."""
    for sentence in sentences:
        if sentence.turn.speaker != "agent" or sentence.is_question:
            yield 0.0
            continue
        recency = 0.5 + (sentence.position + 1) / turns
        cues = sentence_cues(sentence.language, sentence.text, "agent")
        best = max(
            (own * (2.0 if own_label == label else 1.0) for own_label, own in cues.values()),
            default=0.0,
        )
        yield best * recency


def _answers(
    sentences: Sequence[Sentence], reason: Sentence | None, label: Label, turns: int, room: int
) -> str:
    scores = list(_agent_cues(sentences, label, turns))
    ranked = sorted(
        (index for index, score in enumerate(scores) if score > 0), key=lambda i: -scores[i]
    )
    if not ranked:  # an answer to a question, or nothing: the statement that tells most
        after = reason.position if reason else 0
        told = [
            index
            for index, sentence in enumerate(sentences)
            if sentence.turn.speaker == "agent"
            and sentence.position > after
            and not sentence.is_question
            and len(sentence.text.split()) >= LONG_ENOUGH
            and not is_mostly_hidden(sentence.text)
        ]
        central = _centrality(sentences)
        ranked = sorted(told, key=lambda i: -central[i])[:1]
    chosen: list[int] = []
    texts: dict[int, str] = {}
    for index in ranked[:ANSWERS]:
        left = room - sum(len(text.split()) for text in texts.values())
        if left < (8 if chosen else 1):
            break
        texts[index] = shortened(sentences[index].text, left)
        chosen.append(index)
    return joined([texts[index] for index in sorted(chosen)])


def make_brief(call: Call, language: str, sentences: Sequence[Sentence], label: Label) -> str:
    """ "Customer: reason. Agent: what was done or promised.", at most 40 words."""
    customer, agent = PARTIES.get(language, PARTIES["en"])
    turns = len(call.turns)
    reason = find_reason(sentences, turns)
    first = joined([_with_next(sentences, reason)]) if reason else ""
    room = MOST_WORDS - len(first.split()) - 2
    second = _answers(sentences, reason, label, turns, room)
    parts = ((customer, first), (agent, second))
    return " ".join(f"{name}: {text}" for name, text in parts if text)
