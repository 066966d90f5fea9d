"""What the dispatcher hands to the sender, and what it gets back."""

import dataclasses
import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed delivery with all that sending it needs, so that no query is made while sending.

    ``secrets`` is None where they cannot be decrypted: then it must not be sent.
    """

    delivery_id: str
    endpoint_id: str
    event_id: str
    url: str
    body: bytes
    secrets: tuple[str, ...] | None = dataclasses.field(repr=False)
    attempts: int
    tries: int
    event_created_at: datetime.datetime
    troubled: bool  # the endpoint has failed or was slowed down lately


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one attempt. ``status_code`` is None when there was no answer at all."""

    at: datetime.datetime
    duration_ms: int
    succeeded: bool
    status_code: int | None = None
    error: str | None = None
    request_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    response_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    response_body: str = ""
    retry_after: float | None = None
