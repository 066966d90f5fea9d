"""What can go wrong with sessions, each with its contract code."""

from kallglot_site.api.errors import ApiError


class FeatureNotAvailable(ApiError):
    """This installation has no engine for what was asked."""

    code = "feature_not_available"


class UnsupportedLanguagePair(ApiError):
    """No configured engine translates between the two."""

    code = "unsupported_language_pair"


class SessionNotEnded(ApiError):
    code = "session_not_ended"


class TranscriptUnavailable(ApiError):
    """Nothing was said, or nothing was transcribed."""

    code = "transcript_unavailable"


class ConcurrentSessionsExceeded(ApiError):
    """The plan's number of sessions is created or active."""

    code = "concurrent_sessions_exceeded"
