import pytest

from sessions_app.models import Session
from tests.factories import SessionFactory


@pytest.fixture
def session() -> Session:
    return SessionFactory()
