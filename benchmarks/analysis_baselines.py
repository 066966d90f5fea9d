"""Simple methods to compare an analyzer with, and the measures of summaries and labels."""

import functools
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import yake
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from analysis_app.engines.base import Call
from analysis_app.engines.local.courtesies import split_sentences

_STOPWORDS = Path(yake.__file__).parent / "core" / "StopwordsList"
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def sentences(call: Call, speaker: str | None = None) -> list[str]:
    return [
        sentence
        for turn in call.turns
        if speaker in (None, turn.speaker)
        for sentence in split_sentences(turn.text)
    ]


def lead(call: Call, count: int) -> str:
    """The first ``count`` sentences of the call ("lead-3")."""
    return " ".join(sentences(call)[:count])


def longest(call: Call, count: int) -> str:
    """The longest ``count`` sentences of the call, in call order."""
    spoken = sentences(call)
    chosen = sorted(sorted(range(len(spoken)), key=lambda i: -len(spoken[i]))[:count])
    return " ".join(spoken[index] for index in chosen)


@functools.cache
def stopwords(language: str) -> frozenset[str]:
    path = _STOPWORDS / f"stopwords_{language}.txt"
    return frozenset(path.read_text(encoding="utf-8", errors="replace").lower().split())


def rake(text: str, language: str, count: int = 3) -> list[str]:
    """Keyphrases by RAKE (Rose et al., 2010): words between stop words, scored by degree."""
    stop = stopwords(language)
    phrases = []
    for piece in re.split(r"[.,!?;:\n]", text.lower()):
        run: list[str] = []
        for word in [*words(piece), ""]:
            if word and word not in stop:
                run.append(word)
            elif run:
                phrases.append(run)
                run = []
    frequency = Counter(word for phrase in phrases for word in phrase)
    degree: Counter[str] = Counter()
    for phrase in phrases:
        for word in phrase:
            degree[word] += len(phrase)
    scores = {
        " ".join(phrase): sum(degree[word] / frequency[word] for word in phrase)
        for phrase in phrases
    }
    return sorted(scores, key=lambda phrase: -scores[phrase])[:count]


def most_frequent(text: str, language: str, count: int = 3) -> list[str]:
    stop = stopwords(language)
    counts = Counter(word for word in words(text) if word not in stop and len(word) > 2)
    return [word for word, _ in counts.most_common(count)]


@functools.cache
def _vader() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


def vader(text: str) -> float:
    """-1…1."""
    return float(_vader().polarity_scores(text)["compound"])


def label(score: float) -> str:
    """VADER's own limits."""
    if score >= 0.05:
        return "positive"
    return "negative" if score <= -0.05 else "neutral"


def _f1(overlap: int, found: int, wanted: int) -> float:
    return 2 * overlap / (found + wanted) if overlap else 0.0


def rouge_1(found: str, wanted: str) -> float:
    """F1 of shared words (Lin, 2004), without stemming."""
    ours, theirs = Counter(words(found)), Counter(words(wanted))
    return _f1(sum((ours & theirs).values()), ours.total(), theirs.total())


def rouge_l(found: str, wanted: str) -> float:
    """F1 of the longest common subsequence of words."""
    ours, theirs = words(found), words(wanted)
    row = [0] * (len(theirs) + 1)
    for word in ours:
        before = 0
        for index, other in enumerate(theirs, start=1):
            above = row[index]
            row[index] = before + 1 if word == other else max(above, row[index - 1])
            before = above
    return _f1(row[-1], len(ours), len(theirs))


def macro_f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    """The mean of the F1 of each label."""
    scores = []
    for name in sorted(set(wanted)):
        pairs = list(zip(found, wanted, strict=True))
        both = sum(ours == name == theirs for ours, theirs in pairs)
        scores.append(_f1(both, sum(f == name for f in found), sum(w == name for w in wanted)))
    return sum(scores) / len(scores)


def correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Pearson's."""
    size = len(left)
    mean_left, mean_right = sum(left) / size, sum(right) / size
    pairs = [(a - mean_left, b - mean_right) for a, b in zip(left, right, strict=True)]
    spread = (sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)) ** 0.5
    return sum(a * b for a, b in pairs) / spread if spread else 0.0
