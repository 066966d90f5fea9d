"""Whatever an operator gets wrong is one or two lines on stderr and exit code 2."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from kallglot_site.env import SETTINGS, read

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
    "KALLGLOT_STREAM_TOKEN_TTL": "0",
    "KALLGLOT_STREAM_SILENCE": "nan",
    "KALLGLOT_SESSION_IDLE_TIMEOUT": "1e99",
    "KALLGLOT_DRAIN_TIMEOUT": "inf",
    "KALLGLOT_MAX_STREAMS": "-1",
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
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_at_most_two_lines(tmp_path, arguments):
    assert len(errors_of(tmp_path, *arguments)) <= 2


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
