"""The one error envelope, and every code the contract knows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A code's type and status, and what the served error page says of it."""

    code: str
    type: str
    status: int
    meaning: str
    remedy: str


class ApiError(Exception):
    """A domain error that carries its contract code. One handler renders it.

    Apps' ``errors.py`` derive from it with ``code`` set; ``message`` says what is wrong and what is
    allowed, ``param`` names the field at fault, ``headers`` go out with the response.
    """

    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.message = message
        self.param = param
        self.headers = headers or {}
