"""Django system checks of the settings. They run at every start and say what to set.

Errors stop the start. ``env.py`` has already checked each value; these checks find settings that
contradict each other.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

SHORTEST_SECRET_KEY = 32
"""Characters. Django's deployment check has the same limit."""


@register("kallglot")
def installation_check(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    return [*_secret_key(), *_production(), *_services(), *_engines()]


def _database_server() -> bool:
    return str(settings.ENV["DATABASE_URL"]).startswith("postgres")


def _secret_key() -> Iterator[CheckMessage]:
    given = settings.ENV["KALLGLOT_SECRET_KEY"]
    if not given and settings.PRODUCTION and _database_server():
        yield Error(
            "KALLGLOT_SECRET_KEY is not set, and the database is shared.",
            hint=(
                "Each machine would generate its own key and could not decrypt the data of the "
                "others. Set the same KALLGLOT_SECRET_KEY on all: "
                "python -c 'import secrets; print(secrets.token_urlsafe(64))'. An installation "
                "that began without one has it in secret_key in its data directory."
            ),
            id="kallglot.E001",
        )
    if given and len(given) < SHORTEST_SECRET_KEY:
        yield Error(
            f"KALLGLOT_SECRET_KEY has fewer than {SHORTEST_SECRET_KEY} characters.",
            hint="Make one: python -c 'import secrets; print(secrets.token_urlsafe(64))'",
            id="kallglot.E002",
        )


def _production() -> Iterator[CheckMessage]:
    if not settings.PRODUCTION:
        return
    if not settings.PUBLIC_URL:
        yield Error(
            "KALLGLOT_PUBLIC_URL is not set.",
            hint="Set it to the URL that customers use, such as https://api.example.com.",
            id="kallglot.E003",
        )
    elif not settings.PUBLIC_URL.startswith("https://"):
        yield Error(
            "KALLGLOT_PUBLIC_URL is not https, so keys and speech would be sent unencrypted.",
            hint="Put a TLS proxy in front and set its https:// address.",
            id="kallglot.E004",
        )
    if settings.STREAM_URL.startswith("ws://"):
        yield Error(
            "KALLGLOT_STREAM_URL is not wss, so speech would be sent unencrypted.",
            hint="Set a wss:// address, or leave it empty to follow KALLGLOT_PUBLIC_URL.",
            id="kallglot.E005",
        )
    if settings.DEBUG:
        yield Error(
            "KALLGLOT_DEBUG is on in production: its error pages show settings and data.",
            hint="Unset KALLGLOT_DEBUG.",
            id="kallglot.E006",
        )
    if settings.WEBHOOK_ALLOW_PRIVATE:
        yield Warning(
            "KALLGLOT_WEBHOOK_ALLOW_PRIVATE is on in production.",
            hint="Customers can make this server call addresses inside your network. Unset it.",
            id="kallglot.W001",
        )
    if not settings.TRUSTED_PROXIES:
        yield Warning(
            "KALLGLOT_TRUSTED_PROXIES is not set, so all clients have the TLS proxy's address.",
            hint=(
                "Wrong passwords from one client can then lock sign-in for everybody. "
                "Set the proxy's address or network, such as 10.0.0.0/8."
            ),
            id="kallglot.W002",
        )


def _services() -> Iterator[CheckMessage]:
    if _database_server() and not settings.REDIS_URL:
        yield Warning(
            "A database server without REDIS_URL: only one gateway process may run.",
            hint=(
                "Two gateways tell each other of changes to a session only after seconds, "
                "not at once. Set REDIS_URL."
            ),
            id="kallglot.W003",
        )
    if not _database_server() and settings.REDIS_URL and settings.PRODUCTION:
        yield Warning(
            "REDIS_URL with SQLite: several gateways cannot share this database.",
            hint="Set DATABASE_URL to a PostgreSQL server before you add a machine.",
            id="kallglot.W004",
        )


def _engines() -> Iterator[CheckMessage]:
    from analysis_app.engines.registry import analyzer_from_url
    from sessions_app.engines import registry
    from sessions_app.engines.base import EngineMisconfigured
    from sessions_app.engines.urls import EngineContext

    context = EngineContext(data_dir=settings.DATA_DIR)
    readers: dict[str, Callable[[str], object]] = {
        "TRANSCRIBER_URL": lambda url: registry.transcriber_from_url(url, context),
        "TRANSLATOR_URL": lambda url: registry.translator_from_url(url, context),
        "SYNTHESIZER_URL": lambda url: registry.synthesizer_from_url(url, context),
        "RESPONDER_URL": lambda url: registry.responder_from_url(url, context),
        "EMBEDDER_URL": lambda url: registry.embedder_from_url(url, context),
        "ANALYZER_URL": analyzer_from_url,
    }
    for name, reader in readers.items():
        url = getattr(settings, name)
        if not url:
            continue
        try:
            reader(url)
        except EngineMisconfigured as error:
            yield Error(
                f"{name} is not usable: {error}",
                hint="See docs/engines.md: it lists the engines and how their URLs are written.",
                id="kallglot.E010",
            )
