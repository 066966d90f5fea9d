"""Which language a speaker speaks: settles after some speech, and can change its mind."""

import math

_SHORTEST = 0.4  # s; below this a detection says next to nothing
_FULL_WEIGHT = 3.0  # s; from here on a detection counts in full
_CHANCE = 0.3  # a detection this unsure is no evidence
_MEMORY = 0.6  # how much of the old evidence a full-weight utterance leaves
_SETTLED = 0.55  # evidence needed to settle: one sure sentence, or two so-so ones
_MARGIN = 1.25  # how far a challenger must be ahead of the settled language
_UNHEARD = 8  # utterances without a detection before we let the engine listen again


class SpeakerLanguage:
    """One speaker's language, from the detections of utterance after utterance.

    Evidence adds up by length and probability and fades with each new utterance, so a sentence in
    another language changes nothing and a few in a row do. Pure: no clock, no I/O.
    """

    def __init__(self, fixed: str | None = None) -> None:
        """``fixed`` (ISO 639-1, a region is dropped) was promised by the caller and stays."""
        self._fixed = fixed.split("-")[0].lower() if fixed else None
        self._settled: str | None = None
        self._evidence: dict[str, float] = {}
        self._hints_unheard = 0

    @property
    def settled(self) -> str | None:
        """The language we are sure of, if any."""
        return self._fixed or self._settled

    @property
    def likely(self) -> str | None:
        """The best guess so far, sure or not."""
        return self.settled or max(self._evidence, key=self._evidence.__getitem__, default=None)

    def language_hint(self, duration: float) -> str | None:
        """The language to ask the engine for, for an utterance of ``duration`` seconds.

        ``None`` means: let it detect. An utterance too short to tell gets the best guess. When
        the engine reports no detections while a language is forced, a longer utterance is left to
        detection now and then, or a change of language would never be noticed.
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
        """Add what a detection heard in ``duration`` seconds; whether it changed ``settled``.

        On a change away from a settled language the utterance at hand was probably written down
        in the wrong one: the caller may transcribe it again.
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
