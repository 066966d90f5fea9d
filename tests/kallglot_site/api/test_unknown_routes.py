"""Addresses that no resource answers at."""

from django.test import Client

from kallglot_site.accounts.dashboard.sign_in import LoginView


def test_an_unknown_address_is_an_error_in_the_envelope(client: Client):
    response = client.get("/v1/nowhere")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "resource_not_found"


def test_a_stream_asked_for_without_upgrade_is_told_of_the_proxy(client: Client):
    response = client.get("/v1/sessions/sess_01KD3M8Q2V5W9Y4Z7X6C1B0NAS/connect")
    assert response.status_code == 404
    assert "Upgrade: websocket" in response.json()["error"]["message"]
    assert response.headers["X-Request-ID"].startswith("req_")


def test_the_page_of_a_broken_request_names_it(db, monkeypatch):
    def broken(self, request):
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(LoginView, "get", broken)
    answer = Client(raise_request_exception=False).get("/login")
    assert answer.status_code == 500
    assert answer.headers["X-Request-ID"] in answer.text
