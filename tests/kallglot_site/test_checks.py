"""The system checks stop a start with unsafe settings and say what to set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kallglot_site.checks import installation_check

POSTGRES = "postgres://kallglot@db.internal/kallglot"


@pytest.fixture
def small(settings):
    """A laptop: default settings."""
    settings.REDIS_URL = ""
    settings.ENV = settings.ENV | {"KALLGLOT_SECRET_KEY": "", "DATABASE_URL": ""}
    return settings


@pytest.fixture
def large(settings):
    """A production installation with correct settings."""
    settings.PRODUCTION = True
    settings.REDIS_URL = "redis://redis.internal"
    settings.PUBLIC_URL = "https://api.example.com"
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    settings.ENV = settings.ENV | {"KALLGLOT_SECRET_KEY": "k" * 64, "DATABASE_URL": POSTGRES}
    return settings


def found() -> set[str]:
    messages = installation_check()
    assert all(message.hint for message in messages), "a complaint says what to set"
    return {str(message.id) for message in messages}


def test_default_settings_have_no_errors(small):
    assert found() == set()


def test_complete_production_settings_have_no_errors(large):
    assert found() == set()


def test_a_shared_database_needs_a_shared_secret_key(large):
    large.ENV = large.ENV | {"KALLGLOT_SECRET_KEY": ""}
    assert found() == {"kallglot.E001"}


def test_a_short_secret_key_is_refused(small):
    small.ENV = small.ENV | {"KALLGLOT_SECRET_KEY": "secret"}
    assert found() == {"kallglot.E002"}


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PUBLIC_URL", "", "kallglot.E003"),
        ("PUBLIC_URL", "http://api.example.com", "kallglot.E004"),
        ("STREAM_URL", "ws://stream.example.com", "kallglot.E005"),
        ("DEBUG", True, "kallglot.E006"),
        ("WEBHOOK_ALLOW_PRIVATE", True, "kallglot.W001"),
        ("TRUSTED_PROXIES", [], "kallglot.W002"),
    ],
)
def test_production_requires_safe_settings(large, name, value, complaint):
    setattr(large, name, value)
    assert found() == {complaint}


def test_several_gateways_need_redis(large):
    large.REDIS_URL = ""
    assert found() == {"kallglot.W003"}


@pytest.mark.parametrize(
    "name",
    [
        "TRANSCRIBER_URL",
        "TRANSLATOR_URL",
        "SYNTHESIZER_URL",
        "RESPONDER_URL",
        "EMBEDDER_URL",
        "ANALYZER_URL",
    ],
)
def test_the_error_of_an_unknown_engine_lists_the_known_ones(small, name):
    setattr(small, name, "parrot://")
    (message,) = installation_check()
    assert message.id == "kallglot.E010"
    assert f"{name} is not usable" in message.msg
    assert "there are:" in message.msg


@pytest.mark.parametrize(
    ("environment", "seconds"), [("production", "31536000"), ("development", "0")]
)
def test_browsers_are_told_to_use_https_only_in_production(tmp_path, environment, seconds):
    code = "from django.conf import settings; print(settings.SECURE_HSTS_SECONDS)"
    variables = {
        "DJANGO_SETTINGS_MODULE": "kallglot_site.settings",
        "KALLGLOT_ENVIRONMENT": environment,
        "KALLGLOT_DATA_DIR": str(tmp_path),
    }
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.strip() == seconds
