"""Joins what words and meaning find into one ranking.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): a passage gets 1 / (60 + its
place) from each ranking. The two need no common scale then.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sessions_app.agents.knowledge.vectors import rank_by_meaning
from sessions_app.agents.knowledge.word_index import rank_by_words
from sessions_app.agents.models import KnowledgeBase, Passage
from sessions_app.engines.failures import EngineError

log = logging.getLogger(__name__)

K: Final = 60
DEPTH: Final = 50
"""Passages of each ranking that are looked at."""
EMBEDDING_TIMEOUT: Final = 5.0
"""Seconds. After them words alone decide."""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that a search found.

    ``score`` is 1 for what is first by words and by meaning, and compares passages of one search
    only. ``similarity`` is the cosine of the query and the passage (None: not known), which
    compares searches too. ``by_words``: the passage holds words of the query.
    """

    passage_id: int
    document_id: str
    title: str
    heading: str
    text: str
    score: float
    similarity: float | None
    by_words: bool


def search(base: KnowledgeBase, query: str, limit: int = 5) -> list[Found]:
    """The base's passages that answer the query best, best first. Blocks: call it from a thread.

    While the embedder fails, words alone decide.
    """
    by_words = rank_by_words(base, query, DEPTH)
    try:
        by_meaning = rank_by_meaning(base, query, DEPTH, timeout=EMBEDDING_TIMEOUT)
        rankings: list[Iterable[int]] = [by_words, by_meaning] if by_meaning else [by_words]
    except EngineError as error:
        log.warning("a knowledge base is searched by words only: %s", error)
        by_meaning, rankings = {}, [by_words]
    scores = fused(*rankings)
    # Two passages that changed places in the rankings have the same score: the nearer one wins.
    near = {passage_id: by_meaning.get(passage_id, -1.0) for passage_id in scores}
    best = sorted(scores, key=lambda key: (-scores[key], -near[key], key))[:limit]
    passages = Passage.objects.filter(pk__in=best, knowledge_base=base).select_related("document")
    rows = {each.pk: each for each in passages.defer("vector")}
    return [
        Found(
            passage_id=passage_id,
            document_id=(row := rows[passage_id]).document_id,
            title=row.document.title,
            heading=row.heading,
            text=row.text,
            score=scores[passage_id],
            similarity=by_meaning.get(passage_id),
            by_words=passage_id in by_words,
        )
        for passage_id in best
        if passage_id in rows  # it may have been deleted meanwhile
    ]


def fused(*rankings: Iterable[int]) -> dict[int, float]:
    """The score of everything that is ranked; 1 is what every ranking has first."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, ranked in enumerate(ranking, start=1):
            scores[ranked] = scores.get(ranked, 0.0) + (K + 1) / (K + place) / len(rankings)
    return scores
