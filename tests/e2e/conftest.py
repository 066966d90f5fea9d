"""End-to-end tests with real processes, sockets and engines."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)
        if item.get_closest_marker("e2e"):
            # The first test waits for the server to start; calls run in real time.
            item.add_marker(pytest.mark.timeout(600))
