"""A chain of analyzers: when one fails, the next takes over, and ``engine`` says so."""

from collections.abc import Sequence

import structlog

from analysis_app.engines.base import (
    AnalysisOutcome,
    AnalysisRequest,
    Analyzer,
    AnalyzerError,
    Call,
    Results,
)

log = structlog.get_logger(__name__)


class FallbackAnalyzer(Analyzer):
    def __init__(self, analyzers: Sequence[Analyzer]) -> None:
        self.analyzers = analyzers
        self.name = analyzers[0].name
        self.understands_prompts = analyzers[0].understands_prompts

    def analyze(self, call: Call, request: AnalysisRequest) -> AnalysisOutcome:
        failed: list[str] = []
        for analyzer in self.analyzers[:-1]:
            try:
                outcome = analyzer.analyze(call, request)
            except AnalyzerError as error:
                log.warning("analyzer_failed", engine=analyzer.name, reason=str(error))
                failed.append(analyzer.name)
                continue
            return self._named(outcome, failed)
        return self._named(self.analyzers[-1].analyze(call, request), failed)

    @staticmethod
    def _named(outcome: AnalysisOutcome, failed: Sequence[str]) -> AnalysisOutcome:
        if not failed:
            return outcome
        return AnalysisOutcome(
            results=outcome.results, engine=f"{outcome.engine} (after {', '.join(failed)} failed)"
        )

    def _analyze(self, call: Call, request: AnalysisRequest) -> Results:
        return self.analyze(call, request).results
