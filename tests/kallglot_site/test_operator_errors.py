"""Whatever an operator gets wrong is one or two lines on stderr and exit code 2."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import CheckMessage, Warning, register
from django.core.checks.registry import registry
from django.core.exceptions import ImproperlyConfigured

from kallglot_site.env import SETTINGS, read
from kallglot_site.operator_commands import OperatorCommand
from tests.e2e.server import free_port

ROOT = Path(__file__).parents[2]

WRONG = {
    "KALLGLOT_ENVIRONMENT": "staging",
    "KALLGLOT_DATA_DIR": "/dev/null/data",
    "KALLGLOT_DEBUG": "perhaps",
    "KALLGLOT_PUBLIC_URL": "https://api.example.com:99999",
    "KALLGLOT_STREAM_URL": "https://stream.example.com",
    "KALLGLOT_TRUSTED_PROXIES": "proxy.internal",
    "KALLGLOT_SIGN_IN_FAILURES_PER_ADDRESS": "0",
    "KALLGLOT_TIME_ZONE": "Mars/Olympus",
    "KALLGLOT_LOG_LEVEL": "LOUD",
    "KALLGLOT_LOG_FORMAT": "xml",
    "DATABASE_URL": "postgres://user:hunter2@db:port/kallglot",
    "REDIS_URL": "localhost:6379",
    "CELERY_BROKER_URL": "kafka://localhost",
    "STORAGE_URL": "s3:///prefix",
    "KALLGLOT_SPOOL_UPLOAD": "sometimes",
    "EMAIL_URL": "ftp://user:hunter2@mail",
    "EMAIL_FROM": "nobody",
    "HF_ENDPOINT": "hub.example.com",
    "KALLGLOT_STREAM_TOKEN_TTL": "0",
    "KALLGLOT_STREAM_SILENCE": "nan",
    "KALLGLOT_SESSION_IDLE_TIMEOUT": "1e99",
    "KALLGLOT_DRAIN_TIMEOUT": "inf",
    "KALLGLOT_MAX_STREAMS": "-1",
    "KALLGLOT_CLIENT_READ_RATE": "1.5",
    "KALLGLOT_CLIENT_READ_WINDOW": "soon",
    "KALLGLOT_WEBHOOK_ALLOW_PRIVATE": "2",
    "KALLGLOT_WEBHOOK_PROXY": "proxy:3128",
    "KALLGLOT_WEBHOOK_DISPATCHERS": "1.5",
    "KALLGLOT_EVENT_RETENTION_DAYS": "9" * 20,
    "KALLGLOT_RECORDING_RETENTION_DAYS": "ten",
}
ANY_TEXT = {
    "KALLGLOT_SECRET_KEY",
    "KALLGLOT_SECRET_KEY_FALLBACKS",
    "KALLGLOT_ALLOWED_HOSTS",
    "KALLGLOT_METRICS_TOKEN",
    "KALLGLOT_API_KEY",
    "KALLGLOT_REDIS_PREFIX",
    "KALLGLOT_MEDIA_KEY",
    "HF_TOKEN",
}
ENGINES = {s.name: "parrot://" for s in SETTINGS if s.section == "Engines"}
COMMANDS = {
    "up": ["up"],
    "gateway": ["gateway"],
    "worker": ["worker"],
    "clock": ["clock"],
    "bootstrap": ["bootstrap", "--organization", "Acme"],
    "call": ["call", "customer.wav"],
}


def errors_of(tmp_path: Path, *arguments: str, **variables: str) -> list[str]:
    """The lines on stderr of a command that must end with exit code 2 and no traceback."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    ended = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={**kept, "KALLGLOT_DATA_DIR": str(tmp_path), **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()


def test_every_setting_is_in_one_table():
    assert {s.name for s in SETTINGS} == WRONG.keys() | ANY_TEXT | ENGINES.keys()


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_a_wrong_setting_is_one_line_that_says_what_to_set(name, value):
    with pytest.raises(ImproperlyConfigured) as refusal:
        read({name: value})
    (line,) = str(refusal.value).splitlines()
    assert line.startswith(f"{name}: ")
    assert "hunter2" not in line


@pytest.mark.parametrize("command", COMMANDS)
def test_all_wrong_settings_are_reported_at_once(tmp_path, command):
    lines = errors_of(tmp_path, *COMMANDS[command], **WRONG, KALLGLOT_PUBLIC_ULR="x")
    assert [line.partition(":")[0] for line in lines] == [*WRONG_IN_ORDER, "KALLGLOT_PUBLIC_ULR"]


WRONG_IN_ORDER = [s.name for s in SETTINGS if s.name in WRONG]


def test_settings_that_contradict_each_other_are_reported_at_once(tmp_path):
    lines = errors_of(tmp_path, "clock", KALLGLOT_ENVIRONMENT="production", **ENGINES)
    text = "\n".join(lines)
    for name in ("KALLGLOT_PUBLIC_URL", *ENGINES):
        assert name in text
    assert len(lines) == 1 + len(ENGINES)


@pytest.mark.parametrize(
    "arguments",
    [
        ["up", "--port", "99999"],
        ["gateway", "--port", "0"],
        ["gateway", "--port", "http"],
        ["worker", "--concurrency", "0"],
        ["bootstrap"],
        ["bootstrap", "--organization", ""],
        ["call", "no-such-file.wav"],
        ["call"],
        ["call", "--port", "x"],
        ["call", "a.wav", "b.wav", "c.wav"],
        ["demo", "--port", "x"],
        ["demo", "--port", "99999"],
        ["password_reset"],
        ["two_factor_reset"],
        ["settings", "--html"],
        ["models"],
        ["models", "get"],
        ["models", "get", "parrot"],
        ["models", "remove", "../data"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_at_most_two_lines(tmp_path, arguments):
    assert len(errors_of(tmp_path, *arguments)) <= 2


def test_the_usage_of_a_call_says_what_it_takes(tmp_path):
    usage, error = errors_of(tmp_path, "call", "--port", "x")
    assert (
        usage == "usage: manage.py call AUDIO [AUDIO] [--url URL] [options]   (--help lists them)"
    )
    assert "--port" in error


def test_an_unknown_speech_model_is_one_line_that_names_the_setting(tmp_path):
    port = str(free_port())
    (line,) = errors_of(tmp_path, "up", "--port", port, TRANSCRIBER_URL="whisper://gigantic")
    assert "TRANSCRIBER_URL" in line
    assert "gigantic" in line


def test_a_dead_database_server_is_one_line_without_warnings(tmp_path):
    # Without REDIS_URL, a database server also deserves a warning: later.
    url = f"postgres://nobody@127.0.0.1:{free_port()}/kallglot"
    port = str(free_port())
    (line,) = errors_of(tmp_path, "gateway", "--port", port, DATABASE_URL=url)
    assert line.startswith("CommandError: DATABASE_URL: no answer")


def test_warnings_are_printed_once_the_services_have_answered(capsys, db):
    command = Waiting()
    register(_warn)
    try:
        command.check()
        assert capsys.readouterr().err == ""
        command.services_check()
    finally:
        registry.registered_checks.discard(_warn)
    assert capsys.readouterr().err.count("a warning of this test") == 1


class Waiting(OperatorCommand):
    """A command that is never run."""


def _warn(app_configs: Any, **_: Any) -> list[CheckMessage]:
    return [Warning("a warning of this test")]


@pytest.mark.parametrize("command", ["up", "gateway"])
def test_a_port_that_is_taken_is_one_line(tmp_path, command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        (line,) = errors_of(tmp_path, command, "--port", port)
    assert f"port {port}" in line
    assert "--port" in line


@pytest.mark.parametrize("command", ["up", "gateway", "worker", "clock", "bootstrap"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "sqlite:////no/such/folder/kallglot.sqlite3"),
        ("CELERY_BROKER_URL", "redis://127.0.0.1:1"),
    ],
)
def test_a_service_that_does_not_answer_is_one_line(tmp_path, command, name, value):
    port = ["--port", "8999"] if command in {"up", "gateway"} else []
    (line,) = errors_of(tmp_path, *COMMANDS[command], *port, **{name: value})
    assert name in line


def test_a_data_directory_that_cannot_be_made_is_one_line(tmp_path):
    (line,) = errors_of(tmp_path, "clock", KALLGLOT_DATA_DIR="/proc/kallglot")
    assert line.startswith("KALLGLOT_DATA_DIR: ")


def test_a_secret_key_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "secret_key").mkdir()
    (line,) = errors_of(tmp_path, "clock")
    assert line.startswith("KALLGLOT_DATA_DIR: ")


def test_an_empty_database_is_one_line(tmp_path):
    (line,) = errors_of(tmp_path, *COMMANDS["bootstrap"])
    assert "manage.py migrate" in line
