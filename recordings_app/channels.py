"""What is recorded of a session: each party's voice, and what the other heard instead of it."""

from typing import Final, Literal

Voice = Literal["agent", "customer"]
Channel = Literal["agent", "customer", "agent_translation", "customer_translation"]

VOICES: Final[tuple[Voice, ...]] = ("agent", "customer")
TRANSLATIONS: Final[tuple[Channel, ...]] = ("agent_translation", "customer_translation")

TRANSLATION_FOR: Final[dict[str, Channel]] = {
    "agent": "customer_translation",
    "customer": "agent_translation",
}
"""What is spoken to a party: the other party's words."""


def channels_of(listener: str, *, translation: bool) -> list[str]:
    """What the server that a party is connected to records."""
    return [listener, TRANSLATION_FOR[listener]] if translation else [listener]
