"""The audio of a call between two people, made by the configured synthesizer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.conf import settings

from kallglot_site.caller.audio import SAMPLE_RATE, frames_of_samples
from kallglot_site.caller.errors import CallFailed
from sessions_app.engines.base import EngineError, Synthesizer
from sessions_app.engines.registry import synthesizer_from_url
from sessions_app.engines.urls import EngineContext
from sessions_app.media import resample

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Line:
    """What one party says."""

    speaker: str
    text: str
    language: str = "en"


SCRIPT = (
    Line(
        "agent",
        "Good morning, thank you for calling Green Valley Support. How can I help you today?",
    ),
    Line("customer", "Hello. I ordered a coffee machine last week, and it has not arrived yet."),
    Line("agent", "I am sorry to hear that. May I have your order number, please?"),
    Line("customer", "Yes, of course. The number is four seven one nine."),
    Line("agent", "Thank you. I can see that your parcel left our warehouse yesterday."),
    Line("customer", "That is great news. When will it be delivered?"),
    Line("agent", "It should arrive tomorrow before noon. I will send you the tracking link."),
    Line("customer", "Wonderful, thank you very much for your help. Goodbye."),
)

TRANSLATED_SCRIPT = (
    Line("agent", "Good morning. Welcome to Green Valley Support."),
    Line("customer", "Hola. Mi paquete no está aquí.", "es"),
    Line("agent", "I understand. What information do you need?"),
    Line("customer", "Necesito información sobre mi paquete.", "es"),
    Line("agent", "Thank you. The package will arrive tomorrow."),
    Line("customer", "Perfecto. Muchas gracias por todo.", "es"),
)
"""An agent who speaks English with a customer who speaks Spanish."""

_PAUSE = 0.7  # seconds between two lines
_TRANSLATION_DELAY = 3.0  # seconds after a line until its translation is heard, on a slow machine
_TRANSLATION_LENGTH = 1.2  # of a line's speech in the other language, relative to the line's
_LEAD = 0.5  # seconds before the first and after the last
_HIGHER = 1.16  # the customer's pitch relative to the agent's: both may have the same voice


async def call_speak(script: Sequence[Line] = SCRIPT) -> dict[str, list[bytes]]:
    """Speaker → frames, on one timeline; a party is silent while the other speaks.

    In a call of several languages each party waits until it may have heard the translation: who
    answers earlier interrupts it. Raises CallFailed when no synthesizer can speak a language.
    """
    synthesizer = synthesizer_from_url(
        settings.SYNTHESIZER_URL, EngineContext(data_dir=settings.DATA_DIR)
    )
    try:
        spoken = [(line.speaker, await _spoken(synthesizer, line)) for line in script]
    except EngineError as error:
        raise CallFailed(f"SYNTHESIZER_URL: the demo cannot speak: {error}") from None
    finally:
        await synthesizer.close()
    translated = len({line.language for line in script}) > 1
    tracks = lay_out(spoken, translated=translated)
    return {speaker: frames_of_samples(samples) for speaker, samples in tracks.items()}


def lay_out(
    spoken: Sequence[tuple[str, Samples]], *, translated: bool = False
) -> dict[str, Samples]:
    """Lines (8 kHz) one after the other, each on its speaker's track. Tracks are equally long."""
    lead = int(_LEAD * SAMPLE_RATE)
    pauses = [_pause(len(samples), translated) for _, samples in spoken]
    length = 2 * lead + sum(len(samples) for _, samples in spoken) + sum(pauses)
    tracks = {speaker: np.zeros(length, np.int16) for speaker, _ in spoken}
    at = lead
    for (speaker, samples), pause in zip(spoken, pauses, strict=True):
        tracks[speaker][at : at + len(samples)] = samples
        at += len(samples) + pause
    return tracks


def _pause(length: int, translated: bool) -> int:
    """Samples of silence after a line of ``length`` samples."""
    if not translated:
        return int(_PAUSE * SAMPLE_RATE)
    return int(_TRANSLATION_DELAY * SAMPLE_RATE + _TRANSLATION_LENGTH * length)


async def _spoken(synthesizer: Synthesizer, line: Line) -> Samples:
    # Speech recognition mishears the plain voices of other languages when they are raised.
    higher = _HIGHER if line.speaker == "customer" and line.language == "en" else 1.0
    pieces = [
        # A voice played faster than it was made is higher, so it sounds like another person.
        resample(piece.samples, round(piece.sample_rate * higher), SAMPLE_RATE)
        async for piece in synthesizer.stream(line.text, line.language)
    ]
    return np.concatenate(pieces)
