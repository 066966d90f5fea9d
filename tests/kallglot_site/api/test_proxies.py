"""The client's address behind proxies."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from kallglot_site.api.middleware import ProxyMiddleware


def seen(remote: str, forwarded: str | None = None, proto: str | None = None) -> HttpRequest:
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": proto}
    request = RequestFactory().get(
        "/", headers={k: v for k, v in headers.items() if v}, REMOTE_ADDR=remote
    )
    ProxyMiddleware(lambda request: HttpResponse())(request)
    return request


def test_without_trusted_proxies_a_spoofed_address_changes_nothing(settings) -> None:
    settings.TRUSTED_PROXIES = []

    request = seen("203.0.113.9", "198.51.100.1", "https")

    assert request.META["REMOTE_ADDR"] == "203.0.113.9"
    assert "HTTP_X_FORWARDED_FOR" not in request.META
    assert not request.is_secure()


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("1.2.3.4, 198.51.100.1, 10.1.1.1", "198.51.100.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("198.51.100.1:5000", "198.51.100.1"),
        ("<script>", "invalid"),
        ("", "10.0.0.1"),
    ],
)
def test_behind_a_trusted_proxy_the_nearest_untrusted_address_is_the_client(
    settings, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]

    request = seen("10.0.0.1", forwarded, "https")

    assert request.META["REMOTE_ADDR"] == address
    assert request.is_secure()


def test_headers_of_an_untrusted_peer_are_ignored_when_proxies_are_configured(settings) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]

    request = seen("203.0.113.9", "198.51.100.1", "https")

    assert request.META["REMOTE_ADDR"] == "203.0.113.9"
    assert not request.is_secure()


def test_a_mapped_ipv4_address_is_the_ipv4_address(settings) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]

    assert seen("::ffff:127.0.0.1", "198.51.100.1").META["REMOTE_ADDR"] == "198.51.100.1"
