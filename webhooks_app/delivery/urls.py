"""Which URLs a receiver may have. Checked when given, and again at every connection."""

import ipaddress
import socket
from typing import NewType

import httpx
from django.conf import settings

from kallglot_site import executors
from kallglot_site.executors import ExecutorFull
from webhooks_app.delivery.addresses import is_public
from webhooks_app.errors import InvalidUrl, LookupsBusy

CheckedUrl = NewType("CheckedUrl", str)  # has passed url_check

MAX_LENGTH = 2048
LOOKUP_TIMEOUT = 3.0  # seconds a creating request waits for the name service

_NOT_PUBLIC = (
    "This URL leads to an address that is not public. Receivers must be reachable on the internet; "
    "for development set KALLGLOT_WEBHOOK_ALLOW_PRIVATE=true."
)


def resolve(host: str, port: int) -> list[str]:
    """Every address of a name, each once, in the system's order. Blocks. Raises OSError.

    Numbers in any disguise (``0x7f.1``, ``2130706433``) resolve as the system would dial them.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def url_parse(url: str) -> httpx.URL:
    """The URL if it has an allowed form. Makes no lookup. Raises InvalidUrl."""
    schemes = ("https", "http") if settings.WEBHOOK_ALLOW_PRIVATE else ("https",)
    if len(url) > MAX_LENGTH:
        raise InvalidUrl(f"A URL has at most {MAX_LENGTH} characters.", param="url")
    if not url.isprintable() or any(character in url for character in " \\"):
        raise InvalidUrl("A URL holds no spaces, backslashes or control characters.", param="url")
    try:
        parsed = httpx.URL(url)
        host, port = parsed.host, parsed.port
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as error:
        raise InvalidUrl("This is not a URL.", param="url") from error
    if parsed.scheme not in schemes:
        message = f"The URL must start with {' or '.join(f'{each}://' for each in schemes)}."
        if not settings.WEBHOOK_ALLOW_PRIVATE:
            message += (
                " For development, the setting KALLGLOT_WEBHOOK_ALLOW_PRIVATE=true allows http "
                "and private addresses."
            )
        raise InvalidUrl(message, param="url")
    if not host or (port is not None and not 0 < port < 65536):
        raise InvalidUrl("The URL names no host, or a port that does not exist.", param="url")
    if parsed.userinfo:
        raise InvalidUrl(
            "A URL must not hold a user name or password: verify the signature instead.",
            param="url",
        )
    if len(str(parsed)) > MAX_LENGTH:
        raise InvalidUrl(f"A URL has at most {MAX_LENGTH} characters.", param="url")
    return parsed


def url_check(url: str, *, timeout: float = LOOKUP_TIMEOUT) -> CheckedUrl:
    """The URL, after a check of its form and, if its name resolves, of its addresses.

    Asks the name service: call it outside of any transaction. A name that cannot be resolved
    within ``timeout`` seconds passes, because it may appear later; connecting checks again.
    Raises InvalidUrl, and LookupsBusy when too many names are being resolved already.
    """
    parsed = url_parse(url)
    if settings.WEBHOOK_ALLOW_PRIVATE:
        return CheckedUrl(url)
    host = parsed.raw_host.decode("ascii").strip("[]")
    try:
        addresses = [str(ipaddress.ip_address(host))]
    except ValueError:
        try:
            addresses = executors.LOOKUPS.call(timeout, resolve, host, parsed.port or 443)
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            return CheckedUrl(url)
        except ExecutorFull as error:
            raise LookupsBusy from error
    if not all(is_public(address) for address in addresses):
        raise InvalidUrl(_NOT_PUBLIC, param="url")
    return CheckedUrl(url)
