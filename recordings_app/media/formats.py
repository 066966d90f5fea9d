"""The formats of recordings: names, sample rates, content types. Imports no codec."""

from typing import Final, Literal, get_args

Format = Literal["mp3", "wav", "ogg"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
SAMPLE_RATES: Final = (8000, 16000, 22050, 44100, 48000)
CONTENT_TYPES: Final[dict[str, str]] = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
}
BIT_DEPTH: Final = 16


def fitting_rate(rate: int) -> int:
    """The lowest rate a recording may have that loses nothing of ``rate``."""
    return next((allowed for allowed in SAMPLE_RATES if allowed >= rate), SAMPLE_RATES[-1])
