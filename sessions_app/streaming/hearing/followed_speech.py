"""Long speech whose words are translated while it is spoken: when it is decoded, and where cut.

A recognizer decodes an utterance as a whole: the longer it is, the later and dearer are its
partials. Long speech is therefore cut in short pauses, wherever the words until then end a
sentence. Those words are decoded when the pause begins, and are the final of the piece: nothing is
decoded once more, and what follows is decoded without them.
"""

from typing import Final

from sessions_app.streaming.hearing import turns

AFTER: Final = 4.0
"""Seconds of an utterance from which on it is taken for long speech. So is the rest of one that was
cut."""

LONGEST: Final = 14.0
"""Seconds after which an utterance is cut even if it had no pause. Each partial is of the whole
utterance so far, and its final leaves no time for partials of what comes next."""

CUT_SEARCH: Final = 1.5
"""Seconds before that in which the quietest moment is searched for. What was said earlier may have
been translated already, and would be said once more with what comes next."""

SHORTEST_PIECE: Final = 1.5
"""Seconds before a pause in which speech is cut after a finished sentence. Words are recognized and
translated better with others around them."""

SHORTEST_OPEN_PIECE: Final = 5.0
"""The same if more may belong to the sentence, as far as its words tell."""

NEW_SPEECH: Final = 0.75
"""Seconds of speech since the last pause that was decoded, which make it worth while again."""

LIKELY_OVER: Final = 0.3
"""Seconds of silence after which the final is requested however little was said."""

PARTIAL_EVERY: Final = 2.0
"""Seconds from one partial to the next."""

UNBROKEN_PARTIAL_EVERY: Final = 1.0
"""The same when there was no pause to cut in for ``SHORTEST_OPEN_PIECE`` seconds: then clauses are
found in partials alone."""

PARTIAL_SHARE: Final = 1.0
"""The pause between two partials is at least so many times the duration of the last request."""


def partial_pause(duration: float, took: float) -> float:
    """Seconds from one partial to the next, in an utterance of ``duration`` seconds so far whose
    last request took ``took`` seconds."""
    unbroken = duration > SHORTEST_OPEN_PIECE
    return max(UNBROKEN_PARTIAL_EVERY if unbroken else PARTIAL_EVERY, PARTIAL_SHARE * took)


def speculate_after(length: float, new: float) -> float:
    """Seconds of silence after which the final is requested of ``length`` seconds of speech, of
    which ``new`` were added since the last such request."""
    return 0.0 if length >= SHORTEST_PIECE and new >= NEW_SPEECH else LIKELY_OVER


def is_piece(length: float, text: str) -> bool:
    """Whether speech may be cut in the pause after ``text``, of ``length`` seconds."""
    delay = turns.delay_after(text)
    finished = length >= SHORTEST_PIECE and delay <= turns.FINISHED
    return finished or (length >= SHORTEST_OPEN_PIECE and delay <= turns.UNFINISHED)
