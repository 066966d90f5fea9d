"""Addresses that no resource answers at."""

from django.test import Client


def test_an_unknown_address_is_an_error_in_the_envelope(client: Client):
    response = client.get("/v1/nowhere")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "resource_not_found"


def test_a_stream_asked_for_without_upgrade_is_told_of_the_proxy(client: Client):
    response = client.get("/v1/sessions/sess_01KD3M8Q2V5W9Y4Z7X6C1B0NAS/connect")
    assert response.status_code == 404
    assert "Upgrade: websocket" in response.json()["error"]["message"]
    assert response.headers["X-Request-ID"].startswith("req_")
