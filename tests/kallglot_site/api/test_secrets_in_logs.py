"""Keys, tokens, phone numbers and secrets never reach the logs, whatever the response."""

import json
import logging

import pytest
from django.test import Client

from tests.conftest import Cast

pytestmark = pytest.mark.django_db

PHONE = "+15551234567"


def test_nothing_secret_of_a_request_is_logged(
    cast: Cast,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    client.raise_request_exception = False
    body = {
        "mode": "transcription",
        "provider": {"phone_number": PHONE},
        "metadata": {"card": "4111 1111"},
    }
    secret_metadata = "4111 1111"

    def post(value: object, key: str = cast.key) -> str:
        response = client.post(
            "/v1/sessions?token=kst_live_secret" if value is None else "/v1/sessions",
            json.dumps(value),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        return response.content.decode()

    created = json.loads(post(body))
    post({**body, "mode": "karaoke"})
    post({**body, "extra": 1})
    post(None)
    post(body, cast.key + "x")
    monkeypatch.setattr("sessions_app.services.session_create", lambda **_: 1 / 0)
    assert "internal_error" in post(body)

    printed = "".join(capfd.readouterr()) + caplog.text
    assert "ZeroDivisionError" in printed, "the error itself is logged"
    for secret in (cast.key, created["stream"]["token"], PHONE, secret_metadata, "kst_live_secret"):
        assert secret not in printed
