"""What this installation can do with speech, judged from how it is configured."""

from sessions_app.errors import FeatureNotAvailable
from sessions_app.models import Session

_TRANSLATING = {Session.Mode.BIDIRECTIONAL_TRANSLATION, Session.Mode.ASSISTIVE_TRANSLATION}
_ANSWERING = {Session.Mode.AI_AGENT, Session.Mode.HELP_CHAT_VOICE}


def mode_require(mode: str, source_language: str | None, target_language: str | None) -> None:
    """Raises FeatureNotAvailable (or UnsupportedLanguagePair) when a mode cannot be served.

    The one place that opens translation and the AI modes once their pipelines exist.
    """
    if mode in _TRANSLATING:
        raise FeatureNotAvailable(
            f"`{mode}` needs a translator, and this installation has none. "
            "`transcription` is available.",
            param="mode",
        )
    if mode in _ANSWERING:
        raise FeatureNotAvailable(
            f"`{mode}` needs a language model, and this installation has none. "
            "`transcription` is available.",
            param="mode",
        )
