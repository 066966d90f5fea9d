import pytest

from sessions_app.agents.knowledge import reading, vectors
from tests.fakes.embedders import FakeEmbedder


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> FakeEmbedder:
    """The configured embedder."""
    fake = FakeEmbedder("delivery parcel arrive ship", "refund money back return", "open hours")
    for module in (reading, vectors):
        monkeypatch.setattr(module, "configured_embedder", lambda: fake)
    return fake
