"""Errors of recordings, each with its code in the API."""

from kallglot_site.api.errors import ApiError


class RecordingFailed(ApiError):
    code = "recording_failed"

    def __init__(self) -> None:
        super().__init__("This recording could not be made, or only in part.")


class RecordingExpired(ApiError):
    code = "recording_expired"

    def __init__(self) -> None:
        super().__init__("The audio of this recording has been deleted or is past its retention.")


class StorageUnavailable(ApiError):
    """The storage does not answer in time, or too many requests wait for it already."""

    code = "service_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The storage of recordings does not answer just now. Try again in a few seconds.",
            headers={"Retry-After": "5"},
        )


class RecordingProcessing(Exception):
    """Not an error: the file is still being made. The API answers 202."""
