"""What passes between the rows and the wire."""

import dataclasses
import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A claimed delivery with all that sending it needs: no database is asked on the way.

    ``secrets`` is None where they cannot be opened: then it must not be sent.
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
    troubled: bool  # the endpoint's row remembers failures or a slow-down


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt. ``status_code`` is None when there was no answer at all."""

    at: datetime.datetime
    duration_ms: int
    succeeded: bool
    status_code: int | None = None
    error: str | None = None
    request_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    response_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    response_body: str = ""
    retry_after: float | None = None
