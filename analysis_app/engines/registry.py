"""Makes the analyzer that ``ANALYZER_URL`` names."""

from analysis_app.engines.base import Analyzer
from analysis_app.engines.fallback import FallbackAnalyzer
from analysis_app.engines.local import LocalAnalyzer
from sessions_app.engines.base import EngineMisconfigured
from sessions_app.engines.urls import parse_chain

_KNOWN = "local://, openai+http(s)://host/v1?model=…"


def analyzer_from_url(text: str) -> Analyzer:
    """The analyzer that ``text`` names; a language model falls back to the local one.

    Raises EngineMisconfigured.
    """
    chain: list[Analyzer] = []
    for url in parse_chain(text):
        if url.scheme == "local":
            url.read_options()
            chain.append(LocalAnalyzer())
        elif url.scheme == "openai":
            from analysis_app.engines.openai import OpenAIAnalyzer

            chain.append(OpenAIAnalyzer.from_url(url))
        else:
            raise EngineMisconfigured(f"there is no analyzer {url.scheme}://; there are: {_KNOWN}")
    if not any(isinstance(analyzer, LocalAnalyzer) for analyzer in chain):
        chain.append(LocalAnalyzer())
    return chain[0] if len(chain) == 1 else FallbackAnalyzer(chain)
