"""Which tests do not depend on the kind of database, so that one of CI's two passes is enough.

The marker ``stateless`` is set on every test that has no fixture and no marker for a database, a
service or a server process. pytest-django fails such a test if it opens a database connection. A
test that reaches a service in another way (the cache, the channel layer) is marked ``services``.

``one_pass`` is set by hand, on long tests of what lies before or beside the database: sockets, the
look of pages, a proxy, a browser's microphone.
"""

from typing import Final

import pytest

_FIXTURES: Final = {
    "db",
    "transactional_db",
    "django_db_setup",
    "postgres_url",
    "redis_url",
    "server",
}
_MARKERS: Final = ("django_db", "e2e", "browser", "services")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures.isdisjoint(_FIXTURES) and not any(map(item.get_closest_marker, _MARKERS)):
            item.add_marker(pytest.mark.stateless)
