"""Fixtures for all tests: organizations, users, API keys, clients and a running server."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.db import connection, connections
from django.test import Client
from kombu.exceptions import OperationalError as BrokerError

from kallglot_site.accounts.models import AuditEntry, Environment, Membership, Organization, User
from kallglot_site.accounts.services import api_key_create, member_create
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.celery import app as celery_app
from kallglot_site.executors import WITH_DATABASE
from sessions_app.streaming.database import connections_close
from tests.e2e.server import Server, running, same_size
from tests.factories import OrganizationFactory
from tests.requirements import (
    apertium,
    browser_path,
    firefox_path,
    nginx_path,
    postgres_url,
    pulseaudio_path,
    redis_url,
)
from webhooks_app.delivery.claims import DELIVERIES

pytest_plugins = ["tests.passes"]

__all__ = [
    "apertium",
    "browser_path",
    "firefox_path",
    "nginx_path",
    "postgres_url",
    "pulseaudio_path",
    "redis_url",
]


@dataclass(frozen=True)
class Cast:
    """An organization with an admin (owner) and a reviewer (teammate), and another's admin
    (outsider)."""

    tenant: Tenant
    test_tenant: Tenant
    other_tenant: Tenant
    key: str
    test_key: str
    other_key: str
    owner: User
    teammate: User
    outsider: User

    @property
    def organization(self) -> Organization:
        return self.tenant.organization


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The test database. All connections are closed before it is dropped."""
    yield
    connections_close()
    for executor in WITH_DATABASE:
        executor.in_each_thread(connections.close_all)
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture(scope="session", autouse=True)
def first_task_sent() -> None:
    """Send the first Celery task here. Tasks are sent in threads, and the first one imports modules
    that create loggers, which breaks pytest if it iterates over all loggers at that moment."""
    with suppress(BrokerError):
        celery_app.send_task(DELIVERIES.task, expires=1, retry=False, ignore_result=True)


@pytest.fixture
def cast(db: None) -> Cast:
    organization, other = (
        OrganizationFactory.create(name="Acme Support"),
        OrganizationFactory.create(name="Rival"),
    )
    tenant = Tenant(organization, Environment.LIVE)
    test_tenant = Tenant(organization, Environment.TEST)
    other_tenant = Tenant(other, Environment.LIVE)

    def member(org: Organization, email: str, role: str) -> User:
        return member_create(organization=org, email=email, password="password", role=role).user

    made = Cast(
        tenant=tenant,
        test_tenant=test_tenant,
        other_tenant=other_tenant,
        key=api_key_create(tenant=tenant, name="live")[1],
        test_key=api_key_create(tenant=test_tenant, name="test")[1],
        other_key=api_key_create(tenant=other_tenant, name="other")[1],
        owner=member(organization, "owner@acme.example", Membership.Role.ADMIN),
        teammate=member(organization, "teammate@acme.example", Membership.Role.REVIEWER),
        outsider=member(other, "outsider@rival.example", Membership.Role.ADMIN),
    )
    AuditEntry.objects.all().delete()  # what a test finds in the audit log is its own
    return made


@pytest.fixture
def api(cast: Cast) -> Client:
    """An HTTP client with the organization's live key, which has every scope."""
    return Client(headers={"Authorization": f"Bearer {cast.key}"})


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real installation (`manage.py up`), started once for all tests that use it.

    It uses the databases of this test run, and allows private webhook URLs, so that a test can
    receive webhooks. Use `server.client()` for REST.
    """
    folder = tmp_path_factory.mktemp("server")
    with (
        same_size() as settings,
        running(folder, settings={**settings, "KALLGLOT_WEBHOOK_ALLOW_PRIVATE": "true"}) as server,
    ):
        yield server


@pytest.fixture
def second_connection() -> Callable[[], AbstractContextManager[Any]]:
    """Opens raw connections to the test database, like another process."""

    @contextmanager
    def connect() -> Iterator[Any]:
        wrapper = connection.copy()
        wrapper.ensure_connection()
        raw = wrapper.connection
        if connection.vendor == "postgresql":
            raw.autocommit = False
        try:
            yield raw
        finally:
            raw.rollback()
            raw.close()

    return connect
