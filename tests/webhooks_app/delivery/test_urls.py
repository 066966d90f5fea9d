"""Invalid and private URLs of receivers are refused when they are given."""

import socket

import pytest

from webhooks_app.delivery import urls
from webhooks_app.delivery.urls import url_check
from webhooks_app.errors import InvalidUrl


@pytest.fixture
def names(monkeypatch):
    """What the name service answers; numbers resolve as the system does it."""
    known: dict[str, list[str]] = {"hooks.example.com": ["93.184.216.34", "2606:4700::1111"]}
    real = urls.resolve

    def resolve(host, port):
        if host in known:
            return known[host]
        if host.replace(".", "").replace("x", "").isalnum() and host[0].isdigit():
            return real(host, port)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(urls, "resolve", resolve)
    return known


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x",
        "https://hooks.example.com:8443/x?y=1",
        "https://93.184.216.34/",
        "https://not-there-yet.example.com/x",
    ],
)
def test_a_public_https_url_is_accepted_as_it_is(names, url):
    assert url_check(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://user:pass@hooks.example.com/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/\r\nX-Injected: 1",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks example.com/",
        "https://hooks.example.com/" + "x" * 2048,
        "https://[::1",
        "https://0177.0.0.1/",
    ],
)
def test_a_url_of_another_form_is_refused(names, url):
    with pytest.raises(InvalidUrl):
        url_check(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "0",
        "[::1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "100.64.0.1",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "10.0.0.1:8443",
    ],
)
def test_a_private_address_is_refused_in_every_notation(names, host):
    with pytest.raises(InvalidUrl, match="not public"):
        url_check(f"https://{host}/")


def test_a_name_with_mixed_records_is_refused(names):
    names["mixed.example.com"] = ["93.184.216.34", "10.0.0.1"]
    with pytest.raises(InvalidUrl, match="not public"):
        url_check("https://mixed.example.com/")


def test_development_may_open_http_and_private_addresses(names, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    assert url_check("http://127.0.0.1:9000/hook") == "http://127.0.0.1:9000/hook"


def test_development_does_not_open_other_schemes(names, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    with pytest.raises(InvalidUrl):
        url_check("file:///etc/passwd")
