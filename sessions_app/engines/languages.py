"""Decides which language a speaker speaks, and notices when it changes."""

import math

_SHORTEST = 0.4  # s; a detection on less audio counts as nothing
_FULL_WEIGHT = 3.0  # s; a detection on this much audio has full weight
_CHANCE = 0.3  # a detection with a lower probability is no evidence
_MEMORY = 0.6  # share of the old evidence that remains after an utterance of full weight
_SETTLED = 0.55  # evidence needed to settle: one sure sentence, or two less sure ones
_MARGIN = 1.25  # a new language needs this many times the evidence of the settled one
_UNHEARD = 8  # utterances without a detection, after which the engine must detect again


class SpeakerLanguage:
    """One speaker's language, from the detections of all utterances.

    Evidence grows with length and probability and fades with each new utterance: one sentence in
    another language changes nothing, a few in a row do. Pure: no clock, no I/O.
    """

    def __init__(self, fixed: str | None = None) -> None:
        """``fixed`` (ISO 639-1; a region is ignored) was set for the session and never changes."""
        self._fixed = fixed.split("-")[0].lower() if fixed else None
        self._settled: str | None = None
        self._evidence: dict[str, float] = {}
        self._hints_unheard = 0

    @property
    def settled(self) -> str | None:
        """The language that is certain, if any."""
        return self._fixed or self._settled

    @property
    def fixed(self) -> bool:
        """Whether the language was set for the session."""
        return self._fixed is not None

    @property
    def likely(self) -> str | None:
        """The best guess so far, certain or not."""
        return self.settled or max(self._evidence, key=self._evidence.__getitem__, default=None)

    def language_hint(self, duration: float) -> str | None:
        """The language to request for an utterance of ``duration`` seconds; ``None``: detect.

        An utterance that is too short for detection gets the best guess. Some engines report no
        detection when a language is requested: then every few utterances a longer one is left to
        detection, or a change of language would never be noticed.
        """
        if self._fixed:
            return self._fixed
        if self._settled is None:
            return self.likely if duration < 1.0 else None
        self._hints_unheard += 1
        if self._hints_unheard > _UNHEARD and duration >= _FULL_WEIGHT:
            return None
        return self._settled

    def observe(self, language: str | None, probability: float, duration: float) -> bool:
        """Add the detection of an utterance of ``duration`` seconds; whether ``settled`` changed.

        After a change from one settled language to another, this utterance was probably
        transcribed in the wrong language: the caller may transcribe it again.
        """
        if self._fixed or language is None:
            return False
        self._hints_unheard = 0
        weight = min(max((duration - _SHORTEST) / (_FULL_WEIGHT - _SHORTEST), 0.0), 1.0)
        if weight == 0.0:
            return False
        fade = math.pow(_MEMORY, weight)
        self._evidence = {
            known: value * fade for known, value in self._evidence.items() if value > 0.01
        }
        certainty = max((probability - _CHANCE) / (1 - _CHANCE), 0.0)
        self._evidence[language] = self._evidence.get(language, 0.0) + weight * certainty
        return self._settle()

    def _settle(self) -> bool:
        leader = max(self._evidence, key=self._evidence.__getitem__)
        rivals = [value for known, value in self._evidence.items() if known != leader]
        ahead = self._evidence[leader] >= _MARGIN * max(rivals, default=0.0)
        if leader == self._settled or not ahead or self._evidence[leader] < _SETTLED:
            return False
        self._settled = leader
        return True
