"""Errors of webhooks, each with its code in the API."""

from kallglot_site.api.errors import ApiError


class InvalidUrl(ApiError):
    """The URL is malformed, of another scheme, or leads to an address that is not public."""

    code = "invalid_url"


class UnknownEventType(ApiError):
    code = "invalid_field_value"


class EndpointUnknown(ApiError):
    code = "resource_not_found"


class EndpointDisabled(ApiError):
    code = "invalid_field_value"


class TooManyEndpoints(ApiError):
    code = "invalid_field_value"


class PayloadErased(ApiError):
    """The session was erased, and this event's payload with it."""

    code = "resource_not_found"
