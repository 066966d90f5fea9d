import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory in which model files are prepared once for all tests."""
    directory = tmp_path_factory.mktemp("engine-data")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
