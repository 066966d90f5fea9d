"""Domain errors of sessions, with their API codes."""

from kallglot_site.api.errors import ApiError


class FeatureNotAvailable(ApiError):
    """This installation has no engine for the feature."""

    code = "feature_not_available"


class UnsupportedLanguagePair(ApiError):
    """No configured engine translates between the two languages."""

    code = "unsupported_language_pair"


class SessionNotEnded(ApiError):
    code = "session_not_ended"


class TranscriptUnavailable(ApiError):
    """There was no speech, or it was not transcribed."""

    code = "transcript_unavailable"


class ConcurrentSessionsExceeded(ApiError):
    """As many sessions as the plan allows are created or active."""

    code = "concurrent_sessions_exceeded"
