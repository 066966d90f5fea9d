"""Errors of webhooks, each with its code in the API."""

from kallglot_site.api.errors import ApiError


class InvalidUrl(ApiError):
    """The URL is malformed, of another scheme, or leads to an address that is not public."""

    code = "invalid_url"


class LookupsBusy(ApiError):
    """As many host names are being resolved as may be at once: the name service is slow."""

    code = "service_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The URL's host name cannot be looked up just now. Try again in a few seconds.",
            headers={"Retry-After": "5"},
        )


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
