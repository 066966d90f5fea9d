"""Sentiment from lexicons: VADER (Hutto and Gilbert, 2014) for English, spoken or translated, and
short lists of telephone words for other languages. Scores are -1…1.
"""

import functools
import math
import operator
import re
from collections.abc import Iterator, Sequence
from typing import Any

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from analysis_app.engines.base import Call, Turn, base_language
from analysis_app.engines.local.courtesies import says_more_than_courtesies, split_sentences
from analysis_app.engines.local.cues import SARCASM, matches
from analysis_app.engines.local.lexicons import (
    LEXICONS,
    NEGATIONS,
    SERVICE_WORDS,
)

POSITIVE, NEGATIVE = 0.2, -0.2  # scores beyond these are labelled positive or negative
TREND = 0.25  # least change between first and last third that is a trend
KEY_MOMENT = 0.5  # least strength of a key moment
LONGEST_SENTENCE = 40  # words scored together; VADER's time grows with their square
SARCASTIC = -0.6  # the score of "thanks for nothing", at most
NEGATION_REACH = 3  # words after a negation whose score it reverses

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


@functools.cache
def _vader() -> SentimentIntensityAnalyzer:
    analyzer = SentimentIntensityAnalyzer()
    # Unlike in reviews, these words say nothing about the mood on the telephone.
    for word in ("help", "please", "thank", "thanks", "hello", "hi", "yes", "no", "like", "number"):
        analyzer.lexicon.pop(word, None)
    analyzer.lexicon.update(SERVICE_WORDS)
    return analyzer


def _lexicon_score(language: str, text: str) -> float | None:
    lexicon = LEXICONS.get(language)
    if lexicon is None:
        return None
    words = [word.lower() for word in _WORD.findall(text)]
    negations = NEGATIONS[language]
    total = 0.0
    for index, word in enumerate(words):
        weight = lexicon.get(word, 0.0)
        if weight and negations.intersection(words[max(0, index - NEGATION_REACH) : index]):
            weight = -0.7 * weight
        total += weight
    # VADER's own normalization, so that both scores have the same scale.
    return total / math.sqrt(total * total + 15)


def _sentence_score(language: str, sentence: str) -> float | None:
    if language == "en":
        score: float | None = float(_vader().polarity_scores(sentence)["compound"])
    else:
        score = _lexicon_score(language, sentence)
    if score is not None and matches(SARCASM, language, sentence):
        return min(score, SARCASTIC)
    return score


def _sentences(text: str) -> Iterator[str]:
    """Sentences of at most ``LONGEST_SENTENCE`` words; transcripts without full stops are cut."""
    for sentence in split_sentences(text):
        words = sentence.split()
        for first in range(0, len(words), LONGEST_SENTENCE):
            yield " ".join(words[first : first + LONGEST_SENTENCE])


def turn_score(call: Call, turn: Turn) -> float | None:
    """-1…1; None if there is no lexicon for the turn's language or its translation.

    The mean of its sentences, stronger ones counting more. The time is linear in its length.
    """
    english = call.text_in(turn, "en")
    language = base_language(turn.language) if english is None else "en"
    if language != "en" and language not in LEXICONS:
        return None
    scores = [
        score
        for sentence in _sentences(turn.text if english is None else english)
        if (score := _sentence_score(language, sentence)) is not None
    ]
    weights = [0.1 + abs(score) for score in scores]
    return sum(map(operator.mul, weights, scores)) / sum(weights) if scores else 0.0


def label(score: float) -> str:
    if score >= POSITIVE:
        return "positive"
    return "negative" if score <= NEGATIVE else "neutral"


def weighted_mean(scored: Sequence[tuple[Turn, float]]) -> float:
    """The mean by length of speech. The customer counts double, the last third 1.5 times."""
    if not scored:
        return 0.0
    end = max(turn.end for turn, _ in scored) or 1.0
    weights = [
        max(0.5, min(15.0, turn.end - turn.start))
        * (2.0 if turn.speaker == "customer" else 1.0)
        * (1.5 if turn.start > end * 2 / 3 else 1.0)
        * (0.25 + abs(score))
        for turn, score in scored
    ]
    return sum(w * score for w, (_, score) in zip(weights, scored, strict=True)) / sum(weights)


def trend(scored: Sequence[tuple[Turn, float]]) -> str:
    """Compares the customer's first and last third; the whole call's if they hardly speak."""
    own = [(turn, score) for turn, score in scored if turn.speaker == "customer"]
    chosen = own if len(own) >= 3 else list(scored)
    third = len(chosen) // 3
    if third == 0:
        return "stable"
    first = sum(score for _, score in chosen[:third]) / third
    last = sum(score for _, score in chosen[-third:]) / third
    if last - first > TREND:
        return "improving"
    return "declining" if first - last > TREND else "stable"


def _key_moments(scored: Sequence[tuple[Turn, float]]) -> list[dict[str, str]]:
    """The most positive and the most negative turn, and the largest change of the mood."""
    moments: list[tuple[float, dict[str, str]]] = []
    # "Great, thank you, have a wonderful day" is said in every call.
    peaks = [pair for pair in scored if says_more_than_courtesies(pair[0].text)]
    if not peaks:
        return []
    best = max(peaks, key=lambda pair: pair[1])
    worst = min(peaks, key=lambda pair: pair[1])
    for (turn, score), kind, word in (
        (best, "positive_peak", "Most positive"),
        (worst, "negative_peak", "Most negative"),
    ):
        if abs(score) >= KEY_MOMENT and (score > 0) == (kind == "positive_peak"):
            moments.append((turn.start, _moment(turn, kind, f"{word} words of the call")))
    turning = _turning_point(scored)
    if turning is not None:
        turn, change = turning
        text = "The mood turns for the better" if change > 0 else "The mood turns for the worse"
        moments.append((turn.start, _moment(turn, "turning_point", text)))
    return [moment for _, moment in sorted(moments, key=lambda pair: pair[0])]


def _moment(turn: Turn, kind: str, text: str) -> dict[str, str]:
    return {"segment_id": turn.id, "type": kind, "description": f"{text} ({turn.speaker})"}


def _turning_point(scored: Sequence[tuple[Turn, float]]) -> tuple[Turn, float] | None:
    """Where the mean of the turns before and after differs most, given at least two on each side.

    Uses running sums, because an eight-hour call has ten thousand turns.
    """
    if len(scored) < 4:
        return None
    whole = sum(score for _, score in scored)
    before, best = scored[0][1], (0.0, 0)
    for index in range(2, len(scored) - 1):
        before += scored[index - 1][1]
        change = (whole - before) / (len(scored) - index) - before / index
        # Near the ends one mean is of few turns, so weigh by how even the split is.
        evenness = math.sqrt(index * (len(scored) - index)) / (len(scored) / 2)
        if abs(change * evenness) > abs(best[0]):
            best = (change * evenness, index)
    change, index = best
    return (scored[index][0], change) if abs(change) >= 0.35 else None


def measure_sentiment(call: Call) -> dict[str, Any]:
    """``overall``, ``label`` and ``trend`` are None if no turn can be scored."""
    scored: list[tuple[Turn, float]] = []
    unread: set[str] = set()
    for turn in call.turns:
        score = turn_score(call, turn)
        if score is None:
            unread.add(base_language(turn.language))
        else:
            scored.append((turn, score))
    overall = weighted_mean(scored) if scored else None
    result: dict[str, Any] = {
        "overall": None if overall is None else round(overall, 2),
        "label": None if overall is None else label(overall),
        "trend": trend(scored) if scored else None,
        "segments": [
            {"id": turn.id, "score": round(score, 2), "label": label(score)}
            for turn, score in scored
        ],
        "key_moments": _key_moments(scored),
    }
    if unread:
        languages = ", ".join(sorted(unread))
        result["note"] = f"Not scored ({languages}): no word list and no English translation."
    return result
