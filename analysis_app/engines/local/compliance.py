"""Compliance: phrases that must or must not be said, found despite recognition errors."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from rapidfuzz import fuzz

from analysis_app.engines.base import Call, ComplianceCheck, Turn

SIMILARITY = 85.0  # percent; one misheard word in five still matches, a different sentence does not

DEFAULT_CHECKS: tuple[ComplianceCheck, ...] = (
    ComplianceCheck(
        name="greeting",
        phrases=(
            "thank you for calling",
            "good morning",
            "good afternoon",
            "good evening",
            "how can i help",
            "how may i help",
            "welcome to",
            "my name is",
            "gracias por llamar",
            "buenos días",
            "buenas tardes",
            "en qué puedo ayudarle",
            "guten tag",
            "guten morgen",
            "wie kann ich ihnen helfen",
            "bonjour",
            "comment puis-je vous aider",
            "bom dia",
            "boa tarde",
            "buongiorno",
            "buonasera",
        ),
        position="first",
        within=30.0,
    ),
    ComplianceCheck(
        name="recording_notice",
        phrases=(
            "this call is recorded",
            "this call may be recorded",
            "this call is being recorded",
            "call will be recorded",
            "recorded for quality",
            "recording this call",
            "llamada está siendo grabada",
            "llamada puede ser grabada",
            "esta llamada será grabada",
            "anruf wird aufgezeichnet",
            "gespräch wird aufgezeichnet",
            "appel est enregistré",
            "appel peut être enregistré",
            "ligação está sendo gravada",
            "chiamata è registrata",
        ),
        position="first",
        within=60.0,
    ),
    ComplianceCheck(
        name="identity_check",
        phrases=(
            "your date of birth",
            "verify your identity",
            "confirm your name",
            "confirm your address",
            "your account number",
            "your customer number",
            "your order number",
            "your full name",
            "security question",
            "your postcode",
            "your zip code",
            "may i have your name",
            "last four digits",
            "su fecha de nacimiento",
            "su número de cliente",
            "su número de pedido",
            "su nombre completo",
            "confirmar su nombre",
            "ihr geburtsdatum",
            "ihre kundennummer",
            "ihren vollständigen namen",
            "votre date de naissance",
            "votre numéro de client",
            "votre nom complet",
            "sua data de nascimento",
            "la sua data di nascita",
        ),
    ),
    ComplianceCheck(
        name="closing",
        phrases=(
            "anything else i can",
            "anything else i may",
            "is there anything else",
            "have a nice day",
            "have a great day",
            "have a good day",
            "thank you for your call",
            "thanks for calling",
            "goodbye",
            "bye",
            "bye bye",
            "tschüss",
            "adiós",
            "tchau",
            "arrivederci",
            "algo más",
            "que tenga un buen día",
            "gracias por su llamada",
            "hasta luego",
            "kann ich sonst noch",
            "einen schönen tag",
            "auf wiederhören",
            "autre chose",
            "bonne journée",
            "au revoir",
            "mais alguma coisa",
            "tenha um bom dia",
            "altro per lei",
            "buona giornata",
        ),
        speaker=None,  # either party may say goodbye
        position="last",
        within=60.0,
    ),
)


def normalized(text: str) -> str:
    """In lower case, without accents and punctuation, which recognition gets wrong most often."""
    plain = unicodedata.normalize("NFKD", text.lower())
    kept = "".join(
        char if char.isalnum() or char.isspace() else " "
        for char in plain
        if not unicodedata.combining(char)
    )
    return " ".join(kept.split())


def says(text: str, phrase: str) -> bool:
    """Whether ``text`` contains ``phrase``, allowing for misheard letters or an extra word."""
    haystack, needle = normalized(text), normalized(phrase)
    if not needle or not haystack:
        return False
    if f" {needle} " in f" {haystack} ":
        return True
    if len(needle) < 10 or len(haystack) < 0.8 * len(needle):
        return False  # short words resemble others too easily
    return bool(fuzz.partial_ratio(needle, haystack, score_cutoff=SIMILARITY))


def _where(call: Call, check: ComplianceCheck) -> list[Turn]:
    """The turns a check looks at."""
    within = check.within if check.within is not None else call.duration
    if check.position == "first":
        inside = [turn for turn in call.turns if turn.start <= within]
    elif check.position == "last":
        end = max((turn.end for turn in call.turns), default=0.0)
        inside = [turn for turn in call.turns if turn.end >= end - within]
    else:
        inside = list(call.turns)
    return [turn for turn in inside if check.speaker in (None, turn.speaker)]


def _found(turns: Sequence[Turn], check: ComplianceCheck) -> tuple[Turn, str] | None:
    """The first turn that says it; for a check at the end of the call, the last."""
    for turn in reversed(turns) if check.position == "last" else turns:
        for phrase in check.phrases:
            if says(turn.text, phrase) or (turn.translation and says(turn.translation, phrase)):
                return turn, phrase
    return None


def _run(call: Call, check: ComplianceCheck) -> dict[str, Any]:
    found = _found(_where(call, check), check)
    passed = (found is not None) == (check.kind == "required")
    if found is not None:
        detail = f'"{found[1]}" was said'
    elif check.kind == "required":
        who = f" by the {check.speaker}" if check.speaker else ""
        detail = f"None of its phrases was said{who}"
    else:
        detail = "None of its phrases was said"
    return {
        "name": check.name,
        "passed": passed,
        "segment_id": found[0].id if found else None,
        "detail": detail,
    }


def run_checks(call: Call, checks: Sequence[ComplianceCheck]) -> dict[str, Any]:
    """Every check's outcome; ``score`` is the percentage passed."""
    outcomes = [_run(call, check) for check in checks or DEFAULT_CHECKS]
    passed = sum(bool(outcome["passed"]) for outcome in outcomes)
    return {
        "passed": passed == len(outcomes),
        "score": round(100 * passed / len(outcomes)),
        "checks": outcomes,
    }
