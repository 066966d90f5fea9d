"""Errors for URLs without a route, and for errors outside of the API."""

from django.test import Client

from kallglot_site.accounts.dashboard.sign_in import LoginView


def test_an_unknown_address_is_an_error_in_the_envelope(client: Client):
    response = client.get("/v1/nowhere")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "resource_not_found"


def test_connecting_without_upgrade_header_gets_an_error_that_mentions_proxies(client: Client):
    response = client.get("/v1/sessions/sess_01KD3M8Q2V5W9Y4Z7X6C1B0NAS/connect")
    assert response.status_code == 404
    assert "Upgrade: websocket" in response.json()["error"]["message"]
    assert response.headers["X-Request-ID"].startswith("req_")


def test_the_error_page_shows_the_request_id(db, monkeypatch):
    def broken(self, request):
        raise RuntimeError("a server error")

    monkeypatch.setattr(LoginView, "get", broken)
    answer = Client(raise_request_exception=False).get("/login")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
