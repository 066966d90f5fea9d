"""Every error code of the API. Responses, the schema and the error page are made from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A code's type and HTTP status, and its texts on the error page."""

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
        "This installation has no such API key.",
        "Check that the whole key was copied and that the request goes to the right host. A lost "
        "key cannot be shown again: roll it in the dashboard.",
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
        "The stream token has expired. A token is valid for a few minutes and is checked only when "
        "a stream connects.",
        "Retrieve the session for a fresh token.",
    ),
)

_AUTHORIZATION = _table(
    (
        "insufficient_permissions",
        "authorization_error",
        403,
        "The API key does not have the scope that this request needs. The message names it.",
        "Use a key with that scope, or create one in the dashboard.",
    ),
    (
        "organization_suspended",
        "authorization_error",
        403,
        "The organization is suspended. Its data is kept.",
        "Ask the operator of this installation.",
    ),
    (
        "feature_not_available",
        "authorization_error",
        403,
        "This installation does not offer the requested feature, for example because no language "
        "model or translator is configured.",
        "Leave the feature out, or ask the operator to configure it.",
    ),
)

_VALIDATION = _table(
    (
        "invalid_request",
        "validation_error",
        400,
        "The path, host name or headers of the request are malformed.",
        "Check the URL. On your own installation, list the host in `KALLGLOT_ALLOWED_HOSTS`.",
    ),
    (
        "invalid_json",
        "validation_error",
        400,
        "The body is not valid JSON (RFC 8259) in UTF-8. Duplicate names, NaN, Infinity, numbers "
        "out of range, lone surrogates, null characters and very deep nesting are refused too.",
        "Write the body with a JSON library. The message says what is wrong.",
    ),
    (
        "invalid_cursor",
        "validation_error",
        400,
        "A pagination cursor is not the id of an object in this list, or both cursors were given.",
        "For older objects pass the id of the last object of a page as `starting_after`, for newer "
        "ones the id of the first as `ending_before`.",
    ),
    (
        "idempotency_mismatch",
        "validation_error",
        400,
        "This Idempotency-Key was already used for a different request.",
        "Use a new key (such as a UUID) for every new operation. Retry a request without changes.",
    ),
    (
        "method_not_allowed",
        "validation_error",
        405,
        "This URL does not support the HTTP method. The `Allow` header lists those it supports.",
        "Compare method and path with the API reference.",
    ),
    (
        "body_too_large",
        "validation_error",
        413,
        "The request body is larger than the server accepts.",
        "Send a smaller body. No request of this API needs one that large.",
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
        "A required field is missing. `param` names it.",
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
        "This request has no such field or query parameter. `param` names it. Unknown fields are "
        "refused so that a typing mistake is noticed.",
        "Correct or remove the field.",
    ),
    (
        "invalid_language_code",
        "validation_error",
        422,
        "A language is not an ISO 639-1 code, with or without a region.",
        "Use codes such as `es` or `es-MX`, or leave the language out to have it detected.",
    ),
    (
        "unsupported_language_pair",
        "validation_error",
        422,
        "No configured engine translates between these languages.",
        "The message lists the possible pairs, and so does `GET /v1/languages`.",
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
        "A webhook URL is not https, contains credentials, or leads to a private address.",
        "Use a public https address. For development an operator may allow others with "
        "`KALLGLOT_WEBHOOK_ALLOW_PRIVATE`.",
    ),
)

_NOT_FOUND = _table(
    (
        "resource_not_found",
        "not_found_error",
        404,
        "No such object or URL exists for this key. A key does not see objects of the other "
        "environment (live or test) or of other organizations.",
        "Check the id, and use a key of the environment in which the object was created.",
    ),
    (
        "recording_expired",
        "not_found_error",
        410,
        "The recording's audio was deleted or is past its retention.",
        "Deleted audio cannot be restored. The recording's metadata can still be retrieved.",
    ),
)

_CONFLICT = _table(
    (
        "idempotency_conflict",
        "conflict_error",
        409,
        "Another request with the same Idempotency-Key is still running.",
        "Repeat the request after the seconds in `Retry-After` to get the first request's answer.",
    ),
    (
        "session_not_ended",
        "conflict_error",
        409,
        "The request needs a session that has ended, and this one has not.",
        "End the session first, or wait for `session.ended`.",
    ),
    (
        "session_ended",
        "conflict_error",
        409,
        "The session has ended, so no stream can connect to it (close code 4409).",
        "Create a new session for another call. The transcript of this one can still be retrieved.",
    ),
    (
        "transcript_unavailable",
        "conflict_error",
        409,
        "The session has no transcript: nothing was said, or none was made.",
        "There is nothing to analyze in this session.",
    ),
    (
        "recording_failed",
        "conflict_error",
        409,
        "The recording could not be made.",
        "The recording has the status `failed`. Ask the operator for the cause.",
    ),
)

_RATE_LIMIT = _table(
    (
        "rate_limit_exceeded",
        "rate_limit_error",
        429,
        "This key has made too many requests to this group of endpoints in this minute.",
        "Wait for the seconds in `Retry-After`; watch `X-RateLimit-Remaining`.",
    ),
    (
        "concurrent_sessions_exceeded",
        "rate_limit_error",
        429,
        "The organization already has as many unfinished sessions as its plan allows.",
        "End sessions whose calls are over. A session without audio ends by itself after a while.",
    ),
)

_API = _table(
    (
        "internal_error",
        "api_error",
        500,
        "The server made an error and logged it.",
        "Repeat the request, with the same Idempotency-Key if it creates something. If it fails "
        "again, report the `request_id`.",
    ),
    (
        "upstream_error",
        "api_error",
        502,
        "A service that this installation depends on failed.",
        "Repeat the request later.",
    ),
    (
        "service_unavailable",
        "api_error",
        503,
        "The server cannot handle the request at the moment.",
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
