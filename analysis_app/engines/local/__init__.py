"""The offline analyzer: deterministic, no network, no model download."""

from analysis_app.engines.base import AnalysisRequest, Analyzer, Call, Results


class LocalAnalyzer(Analyzer):
    name = "local"

    def _analyze(self, call: Call, request: AnalysisRequest) -> Results:
        # Its language tools take most of a second to import, and most processes never analyze.
        from analysis_app.engines.local.analyses import analyze

        return analyze(call, request)
