"""Chooses the sentences of a knowledge base that answer a question.

A sentence's score is the share of the question's words that it has, weighted by how rare they are
(inverse document frequency), and, if there is an embedder, its similarity to the question:

- by words alone: a sentence answers from ``WORDS_ENOUGH`` on;
- with similarity: half of each, from ``BOTH_ENOUGH`` on.

The title of a passage and a question or heading before a sentence count for it, with
``_CONTEXT_WEIGHT``. A sentence that is a question itself is no answer: what follows it is.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sessions_app.engines.knowledge.phrasebook import Phrasebook, tokens
from sessions_app.engines.responder import Passage
from sessions_app.engines.speech_text import sentences

WORDS_ENOUGH: Final = 0.5
BOTH_ENOUGH: Final = 0.45

_CONTEXT_WEIGHT: Final = 0.9
_MOST_SENTENCES: Final = 200
_NEAR: Final = 0.75
"""Share of the best score from which the following sentence of the passage is said too."""

_HEADING: Final = 60
"""Characters; a shorter line without a full stop is a heading."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence of a passage, with what stands before it and says what it is about."""

    passage: Passage
    text: str
    context: str
    position: int

    @property
    def full(self) -> str:
        """The sentence with its context, as it is embedded."""
        return f"{self.context} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """``score`` is 0…1."""

    text: str
    passage: Passage
    score: float


def candidates(passages: Sequence[Passage]) -> list[Candidate]:
    """The sentences that can be answers, in the order of ``passages``."""
    found: list[Candidate] = []
    for passage in passages:
        context = ""
        for line in passage.text.splitlines():
            for position, sentence in enumerate(sentences(line)):
                heading = len(sentence) <= _HEADING and sentence[-1].isalnum() and position == 0
                if sentence.endswith("?") or (heading and sentence == line.strip()):
                    context = sentence
                    continue
                found.append(Candidate(passage, sentence, context, len(found)))
    return found[:_MOST_SENTENCES]


def choose(
    question: tuple[str, ...],
    among: Sequence[Candidate],
    book: Phrasebook,
    similarity: npt.NDArray[np.float32] | None = None,
) -> Answer | None:
    """The answer to ``question`` (its words, see ``Phrasebook.content``); None: there is none.

    ``similarity`` of each candidate to the question, -1…1.
    """
    asked = {stem(word) for word in question}
    if not asked or not among:
        return None
    said = [{stem(word) for word in tokens(each.text)} for each in among]
    about = [
        {stem(word) for word in tokens(f"{each.context} {each.passage.title}")} for each in among
    ]
    frequency = Counter(
        word for said_, about_ in zip(said, about, strict=True) for word in said_ | about_
    )
    weight = {word: math.log(1 + len(among) / (0.5 + frequency[word])) for word in asked}
    total = sum(weight.values())
    scores = np.array(
        [
            sum(
                weight[word] * (1.0 if word in said_ else _CONTEXT_WEIGHT)
                for word in asked & (said_ | about_)
            )
            / total
            for said_, about_ in zip(said, about, strict=True)
        ]
    )
    enough = WORDS_ENOUGH
    if similarity is not None:
        scores = (scores + np.clip(similarity, 0, 1)) / 2
        enough = BOTH_ENOUGH
    best = int(np.argmax(scores))
    if scores[best] < enough:
        return None
    text = among[best].text
    following = best + 1
    if (
        following < len(among)
        and _together(among[best], among[following])
        and scores[following] >= _NEAR * scores[best]
    ):
        text = f"{text} {among[following].text}"
    return Answer(text, among[best].passage, float(scores[best]))


def _together(first: Candidate, second: Candidate) -> bool:
    return first.passage.id == second.passage.id and first.context == second.context != ""


# The languages mixed: it is enough that both sides lose the same.
_ENDINGS: Final = tuple(
    sorted(
        tokens(
            "ations ation ments ment ingen ungen ung ings ing ados adas ado ada aciones acion "
            "amente mente eren iert ern est ies ied ed es en er em as os is e s n a o i y"
        ),
        key=len,
        reverse=True,
    )
)


def stem(word: str) -> str:
    """A word without its ending, roughly; ``word`` has no accents."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)][:7]
    return word[:7]
