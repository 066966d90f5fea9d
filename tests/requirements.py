"""Services and programs that some tests need.

Mark such a test ``@needs_postgres``, ``@needs_redis``, ``@needs_apertium`` or ``@needs_browser``,
or use the fixture. If the service is missing, the test is skipped on a developer's machine and
fails in CI (``CI=true``), so that a successful run has run every test.
"""

import os
import shutil

import pytest

needs_postgres = pytest.mark.usefixtures("postgres_url")
needs_redis = pytest.mark.usefixtures("redis_url")
needs_apertium = pytest.mark.usefixtures("apertium")
needs_browser = pytest.mark.usefixtures("browser_path")


def missing(what: str) -> None:
    """Skip the test; in CI, fail it."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"CI needs {what}", pytrace=False)
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A PostgreSQL server on which databases may be created.

    TEST_POSTGRES_URL, else DATABASE_URL if it is one, else the local one.
    """
    import psycopg

    url = os.environ.get("TEST_POSTGRES_URL") or os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        url = "postgres://postgres@127.0.0.1:5432/postgres"
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        missing(
            "a PostgreSQL server (TEST_POSTGRES_URL, or trusting local users on 127.0.0.1:5432)"
        )
    return url


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis database whose keys tests may add to: REDIS_URL, or number 9 of the local one."""
    import redis

    url = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/9"
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError:
        missing("a Redis server (REDIS_URL, or one on 127.0.0.1:6379)")
    return url


@pytest.fixture(scope="session")
def nginx_path() -> str:
    """An installed nginx. It is in /usr/sbin, which is not in every user's PATH."""
    if path := shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return path
    missing("nginx (apt-get install nginx-light)")
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def browser_path() -> str:
    """An installed Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    missing("Chromium (apt-get install chromium)")
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def firefox_path() -> str:
    """An installed Firefox. Debian's package is ``firefox-esr``."""
    for name in ("firefox-esr", "firefox"):
        if path := shutil.which(name):
            return path
    missing("Firefox (apt-get install firefox-esr)")
    raise AssertionError("unreachable")


@pytest.fixture(scope="session")
def pulseaudio_path() -> str:
    """PulseAudio, which gives Firefox a loudspeaker on a machine that has none."""
    path = shutil.which("pulseaudio")
    if path is None:
        missing("PulseAudio (apt-get install pulseaudio)")
        raise AssertionError("unreachable")
    return path


@pytest.fixture(scope="session")
def apertium() -> None:
    """Apertium's programs with English and Spanish."""
    from sessions_app.engines.translators.apertium import ApertiumTranslator

    if not {("en", "es"), ("es", "en")} <= ApertiumTranslator().pairs():
        missing("Apertium for English and Spanish (apt-get install apertium apertium-en-es)")
