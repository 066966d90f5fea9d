"""Every error code of the contract: the one table behind responses, schema and error page."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A code's type and status, and what the served error page says of it."""

    code: str
    type: str
    status: int
    meaning: str
    remedy: str


def _table(*rows: tuple[str, str, int, str, str]) -> dict[str, ErrorCode]:
    return {row[0]: ErrorCode(*row) for row in rows}


_AUTHENTICATION = _table(
    (
        "missing_api_key",
        "authentication_error",
        401,
        "The request carries no API key.",
        "Send the key as `Authorization: Bearer sk_…` or in `X-API-Key`. Keys in the query string "
        "are ignored, because addresses end up in logs.",
    ),
    (
        "invalid_api_key",
        "authentication_error",
        401,
        "The API key is not one of this installation's.",
        "Check that the whole key was copied, and that it belongs to this host. A lost key cannot "
        "be shown again: roll it in the dashboard.",
    ),
    (
        "expired_api_key",
        "authentication_error",
        401,
        "The API key has passed its expiry date.",
        "Create or roll a key in the dashboard.",
    ),
    (
        "revoked_api_key",
        "authentication_error",
        401,
        "The API key was revoked.",
        "Use another key. Revoking cannot be undone.",
    ),
    (
        "invalid_token",
        "authentication_error",
        401,
        "The stream token is missing, altered, or for another session.",
        "Take `stream.token` from creating or retrieving the session and use it unchanged.",
    ),
    (
        "expired_token",
        "authentication_error",
        401,
        "The stream token has expired. Tokens live for some minutes and are checked on connecting.",
        "Retrieve the session for a fresh token.",
    ),
)

_AUTHORIZATION = _table(
    (
        "insufficient_permissions",
        "authorization_error",
        403,
        "The API key lacks the scope that this request needs. The message names it.",
        "Use a key with that scope, or create one in the dashboard.",
    ),
    (
        "organization_suspended",
        "authorization_error",
        403,
        "The organization is suspended. Nothing was lost.",
        "Ask the operator of this installation.",
    ),
    (
        "feature_not_available",
        "authorization_error",
        403,
        "This installation does not offer what was asked for, for example because no language "
        "model or translator is configured.",
        "Choose something else, or have the operator configure it.",
    ),
)

_VALIDATION = _table(
    (
        "invalid_request",
        "validation_error",
        400,
        "The request could not be read: its path, its host name or its headers are malformed.",
        "Check the address. On your own installation, list the host in `KALLGLOT_ALLOWED_HOSTS`.",
    ),
    (
        "invalid_json",
        "validation_error",
        400,
        "The body is not JSON as RFC 8259 has it, in UTF-8. Names given twice, NaN, Infinity, "
        "numbers out of range, lone surrogates, null characters and very deep nesting are refused.",
        "Produce the body with a JSON library. The message says what is wrong and where.",
    ),
    (
        "invalid_cursor",
        "validation_error",
        400,
        "A pagination cursor is not an id of this list's kind, or both cursors were given.",
        "Pass the id of the last (or first) object of a page as `starting_after` (or "
        "`ending_before`).",
    ),
    (
        "idempotency_mismatch",
        "validation_error",
        400,
        "The Idempotency-Key was used before with another request.",
        "Use a fresh key (a UUID) for every new operation, and repeat a request unchanged.",
    ),
    (
        "method_not_allowed",
        "validation_error",
        405,
        "This address does not know that HTTP method. `Allow` lists those it knows.",
        "Check method and path against the reference.",
    ),
    (
        "body_too_large",
        "validation_error",
        413,
        "The request body is larger than the server takes.",
        "Send less. No object of this API needs that much.",
    ),
    (
        "unsupported_media_type",
        "validation_error",
        415,
        "The body is not `application/json` in UTF-8.",
        "Send JSON with `Content-Type: application/json`.",
    ),
    (
        "missing_required_field",
        "validation_error",
        422,
        "A field that is required is missing. `param` names it.",
        "Add the field.",
    ),
    (
        "invalid_field_value",
        "validation_error",
        422,
        "A field or query parameter has a value that is not allowed. `param` names it.",
        "The message says what is allowed.",
    ),
    (
        "unknown_field",
        "validation_error",
        422,
        "A field or query parameter that this request does not know. `param` names it. It is "
        "refused, so that a typing mistake does not pass silently.",
        "Correct or remove the field.",
    ),
    (
        "invalid_language_code",
        "validation_error",
        422,
        "A language is not an ISO 639-1 code, alone or with a region.",
        "Use codes such as `es` or `es-MX`, or leave the language out to have it detected.",
    ),
    (
        "unsupported_language_pair",
        "validation_error",
        422,
        "No configured engine translates between these languages.",
        "The message names the possible pairs, and so does `GET /v1/languages`.",
    ),
    (
        "invalid_mode",
        "validation_error",
        422,
        "The session mode does not exist.",
        "Use one of the modes that the message lists.",
    ),
    (
        "invalid_url",
        "validation_error",
        422,
        "A webhook URL is not https, holds credentials, or leads to a private address.",
        "Use a public https address. For development an operator may allow others with "
        "`KALLGLOT_WEBHOOK_ALLOW_PRIVATE`.",
    ),
)

_NOT_FOUND = _table(
    (
        "resource_not_found",
        "not_found_error",
        404,
        "There is no such object or address for this key. Objects of the other environment "
        "(live or test) do not exist for a key, nor do those of other organizations.",
        "Check the id, and that the key is of the environment where the object was created.",
    ),
    (
        "recording_expired",
        "not_found_error",
        410,
        "The recording's audio was deleted or is past its retention.",
        "Audio that is gone stays gone. Its metadata can still be retrieved.",
    ),
)

_CONFLICT = _table(
    (
        "idempotency_conflict",
        "conflict_error",
        409,
        "Another request with the same Idempotency-Key is still running.",
        "Repeat the request after the seconds in `Retry-After`: it gets the first one's answer.",
    ),
    (
        "session_not_ended",
        "conflict_error",
        409,
        "This needs a session that has ended.",
        "End the session first, or wait for `session.ended`.",
    ),
    (
        "session_ended",
        "conflict_error",
        409,
        "The session has ended, so that no stream can join it any more (close code 4409).",
        "Create another session for another call. What was said stands in the transcript.",
    ),
    (
        "transcript_unavailable",
        "conflict_error",
        409,
        "The session has no transcript: nothing was said, or none was made.",
        "Nothing to do: there are no words to work on.",
    ),
    (
        "recording_failed",
        "conflict_error",
        409,
        "The recording could not be made.",
        "The recording's own object says so too. Ask the operator for the cause.",
    ),
)

_RATE_LIMIT = _table(
    (
        "rate_limit_exceeded",
        "rate_limit_error",
        429,
        "Too many requests in this minute with this key on this group of endpoints.",
        "Wait for the seconds in `Retry-After`; watch `X-RateLimit-Remaining`.",
    ),
    (
        "concurrent_sessions_exceeded",
        "rate_limit_error",
        429,
        "As many sessions as the organization's plan allows are created or active.",
        "End sessions that are over. Sessions nobody connects to end by themselves in time.",
    ),
)

_API = _table(
    (
        "internal_error",
        "api_error",
        500,
        "Something went wrong on our side, and was logged.",
        "Repeat the request (with the same Idempotency-Key, if it creates something). If it "
        "stays, report the `request_id`.",
    ),
    (
        "upstream_error",
        "api_error",
        502,
        "A service that this installation depends on answered wrongly.",
        "Repeat the request later.",
    ),
    (
        "service_unavailable",
        "api_error",
        503,
        "The server cannot answer just now.",
        "Repeat the request after the seconds in `Retry-After`.",
    ),
)

ERROR_CODES: dict[str, ErrorCode] = {
    **_AUTHENTICATION,
    **_AUTHORIZATION,
    **_VALIDATION,
    **_NOT_FOUND,
    **_CONFLICT,
    **_RATE_LIMIT,
    **_API,
}
