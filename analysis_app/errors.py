"""Errors of analyses, each with its code in the API."""

from kallglot_site.api.errors import ApiError


class SessionNotEnded(ApiError):
    code = "session_not_ended"


class TranscriptUnavailable(ApiError):
    code = "transcript_unavailable"


class PromptsNotSupported(ApiError):
    code = "invalid_field_value"
