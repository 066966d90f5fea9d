"""The list of sessions as a file, streamed: it is never in memory as a whole."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from kallglot_site import executors
from kallglot_site.accounts.dashboard.sockets import in_database_of
from kallglot_site.accounts.templatetags.components import masked_phone
from sessions_app.models import Session
from sessions_app.payloads import session_payload

CHUNK: Final = 500
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
COLUMNS: Final = (
    "id",
    "environment",
    "status",
    "mode",
    "source_language",
    "target_language",
    "created_at",
    "started_at",
    "ended_at",
    "end_reason",
    "duration",
    "word_count",
    "provider",
    "phone_number",
    "sentiment",
    "compliance_passed",
    "metadata",
)


def safe_cell(value: Any) -> Any:
    """Prevents spreadsheets from running the text as a formula (OWASP, CSV injection)."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _payload(session: Session, phone_numbers: bool) -> dict[str, Any]:
    payload = session_payload(session)
    if not phone_numbers:
        payload["provider"]["phone_number"] = masked_phone(session.provider_phone_number)
    return payload


def csv_lines(sessions: list[Session], phone_numbers: bool) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for session in sessions:
        payload = _payload(session, phone_numbers)
        row = (
            *(payload[name] for name in COLUMNS[:11]),
            session.word_count,
            session.provider_type,
            payload["provider"]["phone_number"],
            session.sentiment,
            session.compliance_passed,
            orjson.dumps(session.metadata).decode() if session.metadata else "",
        )
        writer.writerow([safe_cell(value) for value in row])
    return buffer.getvalue().encode()


def json_lines(sessions: list[Session], phone_numbers: bool) -> bytes:
    return b"".join(
        orjson.dumps(
            _payload(session, phone_numbers)
            | {"sentiment": session.sentiment, "compliance_passed": session.compliance_passed},
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for session in sessions
    )


FORMATS: Final[dict[str, tuple[str, bytes, Callable[[list[Session], bool], bytes]]]] = {
    # The byte order mark tells spreadsheets that the file is UTF-8.
    "csv": (
        "text/csv; charset=utf-8",
        b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n",
        csv_lines,
    ),
    "jsonl": ("application/jsonl", b"", json_lines),
}


async def _chunks(
    sessions: QuerySet[Session], head: bytes, lines: Callable[[list[Session]], bytes]
) -> AsyncIterator[bytes]:
    """One query per chunk, by keyset: a slow client holds no connection and no snapshot."""
    yield head

    def read(after: str | None) -> tuple[bytes, str | None]:
        found = sessions if after is None else sessions.filter(id__lt=after)
        rows = list(found.order_by("-id")[:CHUNK])
        return lines(rows), rows[-1].id if len(rows) == CHUNK else None

    after: str | None = None
    while True:
        body, after = await in_database_of(executors.EXPORTS, read, after)
        yield body
        if after is None:
            return


def export_response(
    sessions: QuerySet[Session], format: str, *, phone_numbers: bool
) -> StreamingHttpResponse:
    """``phone_numbers``: whether in full; otherwise masked as on the pages.

    Raises KeyError for an unknown format.
    """
    content_type, head, lines = FORMATS[format]
    response = StreamingHttpResponse(
        _chunks(sessions, head, lambda rows: lines(rows, phone_numbers)),
        content_type=content_type,
    )
    response["Content-Disposition"] = f'attachment; filename="sessions.{format}"'
    return response
