from pathlib import Path

import pytest

from sessions_app.engines import registry
from sessions_app.engines.base import EngineMisconfigured
from sessions_app.engines.fallback import FallbackSynthesizer, FallbackTranscriber
from sessions_app.engines.urls import EngineContext, parse_chain

SECRET = "sk-not-to-be-seen"


@pytest.fixture
def context(tmp_path: Path) -> EngineContext:
    return EngineContext(tmp_path)


def test_a_url_holds_scheme_transport_address_key_and_options() -> None:
    (url,) = parse_chain(f"openai+https://:{SECRET}@api.example.com:8443/v1?model=a,b&timeout=5")
    assert (url.scheme, url.transport, url.key) == ("openai", "https", SECRET)
    assert url.endpoint == "https://api.example.com:8443/v1"
    assert url.options == {"model": "a,b", "timeout": "5"}


def test_commas_between_urls_make_a_chain() -> None:
    urls = parse_chain("whisper://base, openai+http://localhost:8000/v1?model=a,b")
    assert [url.scheme for url in urls] == ["whisper", "openai"]


def test_a_key_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    (url,) = parse_chain(f"openai+https://api.example.com/v1?key_file={tmp_path}/key")
    assert url.key == SECRET


@pytest.mark.parametrize(
    "text", [f"openai:{SECRET}", f"openai+https://:{SECRET}@[broken/v1", "", "whisper"]
)
def test_the_error_of_an_invalid_url_does_not_hold_the_key(text: str) -> None:
    with pytest.raises(EngineMisconfigured) as caught:
        parse_chain(text)
    assert SECRET not in str(caught.value)


def test_the_key_is_not_in_any_repr(context: EngineContext) -> None:
    text = f"openai+https://:{SECRET}@api.example.com/v1"
    engine = registry.transcriber_from_url(text, context)
    assert SECRET not in repr(parse_chain(text)) + repr(engine) + engine.name


def test_the_error_of_an_unknown_engine_lists_the_known_ones(context: EngineContext) -> None:
    with pytest.raises(EngineMisconfigured, match=r"there are: openai://, whisper://"):
        registry.transcriber_from_url("wisper://base", context)


def test_the_error_of_an_unknown_option_lists_the_known_ones(context: EngineContext) -> None:
    with pytest.raises(EngineMisconfigured, match="batch, beam"):
        registry.transcriber_from_url("whisper://base?thread=2", context)


def test_an_option_of_the_wrong_kind_is_refused(context: EngineContext) -> None:
    with pytest.raises(EngineMisconfigured, match="threads"):
        registry.transcriber_from_url("whisper://base?threads=many", context)


def test_several_urls_are_a_fallback_chain(context: EngineContext) -> None:
    text = "whisper://base,openai+http://localhost:9/v1"
    assert isinstance(registry.transcriber_from_url(text, context), FallbackTranscriber)
    text = "piper://,espeak://"
    assert isinstance(registry.synthesizer_from_url(text, context), FallbackSynthesizer)


def test_a_remote_engine_needs_an_address(context: EngineContext) -> None:
    with pytest.raises(EngineMisconfigured, match="https://"):
        registry.transcriber_from_url("openai://whisper-1", context)
