"""Whole journeys: real processes, real sockets, real engines."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)
        if item.get_closest_marker("e2e"):
            # The first waits for the server to start; a call takes as long as it is spoken.
            item.add_marker(pytest.mark.timeout(600))
