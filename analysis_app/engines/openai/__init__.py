"""A language model behind an OpenAI-compatible ``/chat/completions``.

It writes sentiment, topics, summary and action items. Quality and compliance, which are arithmetic
and rules, are always computed by the local engine. A call too long for one request is read in
chunks, and their summaries are summarized.
"""

from typing import Any

from analysis_app.engines.base import (
    AnalysisRequest,
    Analyzer,
    Call,
    Results,
    Turn,
)
from analysis_app.engines.local.compliance import run_checks
from analysis_app.engines.local.quality import measure_quality
from analysis_app.engines.openai import merge, prompts
from analysis_app.engines.openai.client import ChatClient
from sessions_app.engines.urls import EngineURL

UNDERSTANDING = ("sentiment", "topics", "summary", "action_items")
CHUNK_CHARACTERS = 40_000  # some 10,000 tokens: fits models with a 16k context


class OpenAIAnalyzer(Analyzer):
    understands_prompts = True

    def __init__(self, client: ChatClient, *, chunk_characters: int = CHUNK_CHARACTERS) -> None:
        self.client = client
        self.chunk_characters = chunk_characters
        self.name = f"openai:{client.model}"

    @classmethod
    def from_url(cls, url: EngineURL) -> "OpenAIAnalyzer":
        return cls(ChatClient.from_url(url))

    def _analyze(self, call: Call, request: AnalysisRequest) -> Results:
        results: Results = {}
        if "quality" in request.analyses:
            results["quality"] = measure_quality(call)
        if "compliance" in request.analyses:
            results["compliance"] = run_checks(call, request.checks)
        wanted = [name for name in request.analyses if name in UNDERSTANDING]
        if wanted:
            results.update(self._understand(call, request, wanted))
        return results

    def _understand(self, call: Call, request: AnalysisRequest, wanted: list[str]) -> Results:
        parts = [
            self._part(call, request, wanted, turns)
            for turns in merge.chunks(call.turns, self.chunk_characters)
        ]
        results = merge.join(call, wanted, parts)
        if len(parts) > 1 and "summary" in wanted:
            summary = self.client.complete(
                prompts.reduce_messages(request, [part["summary"] for part in parts]),
                prompts.schema(["summary"]),
                request.still_wanted,
            )
            results["summary"] = merge.checked_summary(call, summary["summary"])
        return results

    def _part(
        self, call: Call, request: AnalysisRequest, wanted: list[str], turns: list[Turn]
    ) -> dict[str, Any]:
        return self.client.complete(
            prompts.chunk_messages(call, request, wanted, turns),
            prompts.schema(wanted),
            request.still_wanted,
        )
