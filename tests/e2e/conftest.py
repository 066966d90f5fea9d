"""Whole journeys: real processes, real sockets, real engines."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)
        if item.get_closest_marker("e2e"):
            # The first one waits for the server to start, and calls take as long as they are spoken.
            item.add_marker(pytest.mark.timeout(600))
