"""What is left to do after the call: promises, and requests that are not done within it.

Only what words announce becomes an item. What the agent does before the call ends, refuses, or asks
the customer to say, does not; nor does a sentence whose object is only "it".
"""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rapidfuzz import fuzz

from analysis_app.engines.base import Call, Turn
from analysis_app.engines.local.compliance import normalized
from analysis_app.engines.local.courtesies import split_sentences
from analysis_app.engines.local.cues import Patterns, matches, patterns, readings
from analysis_app.engines.local.due_dates import due_date
from analysis_app.engines.local.outcome import sentence_cues
from analysis_app.engines.local.redaction import Secrets

Kind = Literal["promise", "staff", "request", "instruction", "needed"]

# The lists by speaker, in the order in which they are tried.
_LISTS: dict[str, tuple[tuple[Kind, Patterns], ...]] = {
    "agent": (
        ("staff", patterns("staff")),
        ("promise", patterns("promise")),
        ("instruction", patterns("instruction")),
        ("needed", patterns("needed")),
    ),
    "customer": (
        ("promise", patterns("promise_customer")),
        ("request", patterns("request")),
    ),
}
_HERE_AND_NOW = patterns("here_and_now")
_URGENT = patterns("urgent")
_RELAXED = patterns("relaxed")

TWIN = 72  # percent of similarity from which two items are the same
ANSWERED_WITHIN = 3  # turns after a request in which it is done or refused
MOST_CHARACTERS = 240

_CLAUSE_END = re.compile(
    r"(?:,? (?:okay|ok|alright|all right|right|thanks|thank you|please|por favor|bitte|merci|is that okay))*[\s.,!?;:]*$",
    re.IGNORECASE,
)
# What the customer says at once is not left to do: "Tell me your account number".
_ASKS_FOR_DATA = re.compile(
    r"^(?:tell|give|spell|repeat|confirm|provide|verify|let (?:me|the agent) (?:have|know) (?:your|the))\b.*"
    r"\b(?:name|number|address|pin|code|password|date|birth|postcode|digits?|e-?mail|amount)\b",
    re.IGNORECASE,
)
# An object that does not stand alone: "Send it", "Bring them tomorrow".
_BARE = re.compile(
    r"^(?:\w+(?: (?:up|back|out|in))?) (?:it|them|that|this|those|these)\b", re.IGNORECASE
)
_NAMES_OBJECT = re.compile(
    r"\b(?:the|your|my|our|a|an|his|her|new) (?!(?:agent|customer)\b)\w+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ActionItem:
    description: str
    assignee: str | None
    due_date: datetime.date | None
    priority: str
    turn: Turn

    def as_result(self) -> dict[str, Any]:
        return {
            "description": self.description,
            "assignee": self.assignee,
            "due_date": self.due_date.isoformat() if self.due_date else None,
            "priority": self.priority,
            "segment_id": self.turn.id,
        }


def _priority(sentence: str, language: str, due: datetime.date | None, today: datetime.date) -> str:
    if matches(_URGENT, language, sentence) or (due is not None and (due - today).days <= 1):
        return "high"
    return "low" if matches(_RELAXED, language, sentence) else "medium"


def _other(speaker: str) -> str:
    return "customer" if speaker == "agent" else "agent"


def _addressed(what: str, speaker: str) -> str:
    """English pronouns as words that stand alone: "send you my form" → "send the customer …".

    The speaker's "you" and "your" are the other party, "me", "us" and "my" the speaker.
    """
    other = _other(speaker)
    what = re.sub(
        r"\b(?:you|yourself)\b(?! (?:can|could|will|have|are|want|need|know)\b)",
        f"the {other}",
        what,
    )
    what = re.sub(r"\byour\b", f"the {other}'s", what)
    what = re.sub(r"\b(?:me|us)\b", f"the {speaker}", what)
    return re.sub(r"\bmy\b", f"the {speaker}'s", what)


def _describe(what: str) -> str:
    """The clause as an instruction: capital letter, without courtesies at its end."""
    text = " ".join(_CLAUSE_END.sub("", what[: 2 * MOST_CHARACTERS]).split())
    return text[:1].upper() + text[1:MOST_CHARACTERS]


def _found(language: str, sentence: str, speaker: str) -> tuple[Kind, str] | None:
    """The kind of item that a sentence announces, and its words."""
    if matches(_HERE_AND_NOW, language, sentence):
        return None
    for kind, known in _LISTS[speaker]:
        match = matches(known, language, sentence)
        if match:
            is_question = sentence.rstrip().endswith("?")
            if is_question and kind not in ("request", "instruction"):
                return None  # "Shall I send it?" promises nothing
            return kind, next(group for group in match.groups() if group)
    return None


def _stem(word: str) -> str:
    return word.lower()[:4]


def _is_done_within(call: Call, start: int, what: str) -> bool:
    """Whether the agent later says that it has done what it announced: the same verb, done."""
    verb = _stem(what.split()[0])
    for turn in call.turns[start : start + 2 * ANSWERED_WITHIN]:
        if turn.speaker != "agent":
            continue
        for language, text in readings(call, turn):
            for sentence in split_sentences(text):
                done = "done" in sentence_cues(language, sentence, "agent")
                if done and any(_stem(word) == verb for word in re.findall(r"\w+", sentence)):
                    return True
    return False


def _is_answered(call: Call, start: int) -> bool:
    """Whether the agent does or refuses at once what the customer has asked for."""
    for turn in call.turns[start : start + ANSWERED_WITHIN]:
        if turn.speaker == "agent":
            for language, text in readings(call, turn):
                for sentence in split_sentences(text):
                    cues = sentence_cues(language, sentence, "agent")
                    if "refused" in cues or "done" in cues:
                        return True
    return False


def _stands_alone(description: str) -> bool:
    """Whether the object is named: in place of "it", or later in the sentence."""
    return not _BARE.match(description) or bool(_NAMES_OBJECT.search(description))


def _items(call: Call, index: int, secrets: Secrets) -> Iterator[ActionItem]:
    turn = call.turns[index]
    if turn.speaker not in _LISTS:
        return
    for language, text in readings(call, turn):
        is_found = False
        for sentence in split_sentences(text):
            found = _found(language, sentence, turn.speaker)
            if found is None:
                continue
            kind, what = found
            # The promise's own day comes first: "Not this week, but I'll call you tomorrow."
            due = due_date(what, language, call.date) or due_date(sentence, language, call.date)
            if kind == "needed":
                what = f"provide {what}"
            if language == "en":
                what = _addressed(what, turn.speaker)
            description = secrets.hide(_describe(what))
            if len(description.split()) < 2 or _ASKS_FOR_DATA.search(description):
                continue
            if kind == "request" and _is_answered(call, index + 1):
                continue
            if kind == "promise" and _is_done_within(call, index + 1, what):
                continue
            is_speakers = kind in ("promise", "staff")
            is_found = True
            yield ActionItem(
                description=description,
                assignee=turn.speaker if is_speakers else _other(turn.speaker),
                due_date=due,
                priority=_priority(sentence, language, due, call.date),
                turn=turn,
            )
        if is_found:
            return


def _twin(items: Sequence[ActionItem], item: ActionItem) -> int | None:
    """The index of the same item among the last ones, or of the one that its "it" stands for."""
    for index in range(len(items) - 1, max(-1, len(items) - 7), -1):
        known = items[index]
        if known.assignee != item.assignee:
            continue
        if not _stands_alone(item.description):
            return index
        if (
            fuzz.token_set_ratio(normalized(known.description), normalized(item.description))
            >= TWIN
        ):
            return index
    return None


def find_action_items(call: Call) -> list[dict[str, Any]]:
    """In call order. A promise that answers a request is one item, not two."""
    items: list[ActionItem] = []
    secrets = Secrets(call)
    for position in range(len(call.turns)):
        for item in _items(call, position, secrets):
            twin = _twin(items, item)
            if twin is None:
                if _stands_alone(item.description):
                    items.append(item)
                continue
            known = items[twin]
            if item.due_date and not known.due_date:
                better = known if not _stands_alone(item.description) else item
                items[twin] = ActionItem(
                    better.description, known.assignee, item.due_date, item.priority, better.turn
                )
    return [item.as_result() for item in items]
