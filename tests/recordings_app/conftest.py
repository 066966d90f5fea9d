"""Each test has its own spool and storage; fixtures of a recorded call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kallglot_site.accounts.tenancy import Tenant
from recordings_app.spool.durability import syncer
from recordings_app.spool.writer import SpoolTap
from sessions_app.live_events import StreamWarning
from sessions_app.models import Session
from sessions_app.streaming.hearing.taps import TrackContext
from tests.factories import SessionFactory
from tests.recordings_app.audio import feed
from tests.recordings_app.calls import AGENT, CUSTOMER


@pytest.fixture(autouse=True)
def data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "media"), "file_permissions_mode": 0o600},
        },
    }
    return tmp_path


TapMaker = Callable[..., SpoolTap]


@pytest.fixture
def warnings() -> list[StreamWarning]:
    """What the client was warned of."""
    return []


@pytest.fixture
def tap_for(warnings: list[StreamWarning]) -> TapMaker:
    """A tap as the gateway would ask for it."""

    def make(
        session_id: str,
        speaker: Any = "customer",
        generation: int = 1,
        made_speech: bool = False,
    ) -> SpoolTap:
        return SpoolTap(
            TrackContext(session_id, "trk", speaker, generation, True, warnings.append, made_speech)
        )

    return make


@pytest.fixture
def sealed() -> Callable[..., None]:
    """Close taps and wait until the disk has it."""

    def seal(*taps: SpoolTap) -> None:
        for tap in taps:
            tap.close()
        assert syncer.flush()

    return seal


@pytest.fixture
def recorded_session(cast: Any) -> Callable[..., Session]:
    """A running session of the owner's whose recording is enabled."""

    def make(tenant: Tenant | None = None, channels: str = "dual", **values: Any) -> Session:
        from django.utils import timezone

        tenant = tenant or cast.tenant
        return SessionFactory(
            organization=tenant.organization,
            environment=tenant.environment,
            recording_enabled=True,
            recording_channels=channels,
            **{"status": "active", "started_at": timezone.now(), **values},
        )

    return make


@pytest.fixture
def call(
    recorded_session: Callable[..., Session], tap_for: TapMaker, sealed: Callable[..., None]
) -> Callable[..., Session]:
    """A call still to be ended: the agent spoke from 0 to 6 s, the customer from 2 to 8 s."""

    def make(channels: str = "dual", **values: Any) -> Session:
        session = recorded_session(channels=channels, duration=8.0, **values)
        agent, customer = tap_for(session.id, "agent"), tap_for(session.id, "customer")
        feed(agent, AGENT, speaker="agent")
        feed(customer, CUSTOMER, at=2.0)
        sealed(agent, customer)
        return session

    return make
