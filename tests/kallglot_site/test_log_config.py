"""Log lines contain no secrets, whichever code or library wrote them."""

import io
import json
import logging

import pytest
import structlog
from django.conf import settings

from kallglot_site.log_config import logging_configure, redact

SECRETS = [
    "sk_live_0123456789abcdef0123456789abcdef",
    "sk_test_0123456789abcdef0123456789abcdef",
    "kst_live_eyJzZXNzaW9uIjoic2Vzc18wMSJ9:1vKx:Zm9vYmFy-_.x",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "+14155550123",
    "%2B4930123456",
    "415-555-0123",
    "(415) 555-0123",
]


@pytest.fixture(params=["console", "json"])
def logged(request):
    """Logs in that format go to the returned buffer."""
    logging_configure({"level": "DEBUG", "format": request.param})
    buffer = io.StringIO()
    (handler,) = [h for h in logging.getLogger().handlers if h.get_name() == "stderr"]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(buffer)
    yield buffer
    structlog.contextvars.clear_contextvars()
    logging_configure(settings.LOGGING)


@pytest.mark.parametrize("secret", SECRETS)
def test_every_way_of_logging_redacts_secrets(logged, secret):
    structlog.get_logger("ours").info("call.started", detail=secret, nested={"key": [secret]})
    logging.getLogger("library").warning("connecting with %s", secret)
    logging.getLogger("library").warning("in the record", extra={"detail": secret})
    try:
        raise ValueError(f"cannot use {secret}")
    except ValueError:
        logging.getLogger("library").exception("failed")
        structlog.get_logger("ours").exception("failed")
    text = logged.getvalue()
    assert text.count("[redacted]") >= 6
    assert secret not in text
    # Nor the part of it that would be enough to use it.
    assert secret[-8:] not in text


@pytest.mark.parametrize("logger", ["uvicorn.access", "uvicorn.error", "daphne.server", "django"])
def test_the_log_of_a_server_loses_the_token(logged, logger):
    logging.getLogger(logger).warning(
        '%s - "WebSocket %s" [accepted]',
        "127.0.0.1:50000",
        "/v1/sessions/sess_01/connect?token=kst_live_abc.def&speaker=agent",
    )
    line = logged.getvalue()
    assert "kst_live_abc" not in line
    assert "abc.def" not in line
    assert "speaker=agent" in line


def test_a_traceback_shows_no_local_variables(logged):
    def hears():
        transcript = " ".join(["four", "two", "four", "two"])
        raise RuntimeError(len(transcript))

    try:
        hears()
    except RuntimeError:
        structlog.get_logger("ours").exception("failed")
    assert "RuntimeError" in logged.getvalue()
    assert "four two four two" not in logged.getvalue()


@pytest.mark.parametrize(
    "harmless",
    [
        "2026-11-22T15:05:54.123456Z",
        "sess_01KD3M8Q2V5W9Y4Z7X6C1B0NAS",
        "req_01KD3M8Q2V5W9Y4Z7X6C1B0NAS",
        "GET /v1/sessions?limit=20 200 in 12.5 ms",
        "duration=1234567.891 bytes=1099511627776",
        "10.0.0.1:8000",
    ],
)
def test_harmless_text_is_not_redacted(harmless):
    assert redact(harmless) == harmless


def test_the_request_id_is_on_every_line_of_its_request(logged):
    with structlog.contextvars.bound_contextvars(request_id="req_01"):
        structlog.get_logger("ours").info("ours")
        logging.getLogger("library").info("theirs")
    assert all("req_01" in line for line in logged.getvalue().splitlines())


def test_uvicorn_s_coloured_copy_of_its_message_is_left_out(logged):
    extra = {"color_message": "Started \x1b[36m%d\x1b[0m"}
    logging.getLogger("uvicorn.error").warning("Started %d", 7, extra=extra)
    assert "Started 7" in logged.getvalue()
    assert "color_message" not in logged.getvalue()


def test_an_unknown_host_name_logs_one_line_without_traceback(logged, client):
    assert client.get("/v1/sessions", headers={"host": "evil.example"}).status_code == 400
    assert "ALLOWED_HOSTS" in logged.getvalue()
    assert "Traceback" not in logged.getvalue()


def test_a_refused_request_logs_one_line_and_a_failed_one_a_traceback(logged, client):
    client.raise_request_exception = False
    client.get("/nowhere")
    assert "Not Found" not in logged.getvalue()
    try:
        raise RuntimeError("a fault")
    except RuntimeError:
        logging.getLogger("django.request").exception("Internal Server Error: /v1/sessions")
    assert "Traceback" in logged.getvalue()


@pytest.mark.parametrize("logged", ["json"], indirect=True)
def test_json_lines_are_json(logged):
    structlog.get_logger("ours").info("call.started", session_id="sess_01")
    assert json.loads(logged.getvalue()).items() >= {
        ("event", "call.started"),
        ("session_id", "sess_01"),
        ("level", "info"),
        ("logger", "ours"),
    }
