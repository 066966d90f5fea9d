"""What can go wrong with an engine, and whether trying again can help."""


class EngineError(Exception):
    """An engine failed. ``retryable`` says whether trying again can help."""

    retryable = False


class EngineUnavailable(EngineError):
    """The engine cannot be reached, is not loaded, or crashed."""

    retryable = True


class EngineTimeout(EngineUnavailable):
    """The engine accepted the request and gave no answer within the deadline."""


class EngineOverloaded(EngineUnavailable):
    """The engine works but is full: its queue or connection pool is full, or it answered 429.

    ``retry_after`` is in seconds, if known.
    """

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineRejected(EngineError):
    """The engine refuses this request: retrying the same request cannot help."""


class EngineMisconfigured(EngineError):
    """A wrong URL, or a missing model, package or key: the operator must change the setup."""
