"""What the offline analyzer computes."""

from collections.abc import Callable
from typing import Any

from analysis_app.engines.base import AnalysisRequest, Call, Results
from analysis_app.engines.local.action_items import find_action_items
from analysis_app.engines.local.compliance import run_checks
from analysis_app.engines.local.quality import measure_quality
from analysis_app.engines.local.sentiment import measure_sentiment
from analysis_app.engines.local.summary import summarize
from analysis_app.engines.local.topics import find_topics


def analyze(call: Call, request: AnalysisRequest) -> Results:
    """The analyses that ``request`` names, by name."""
    makers: dict[str, Callable[[], Any]] = {
        "sentiment": lambda: measure_sentiment(call),
        "topics": lambda: find_topics(call),
        "summary": lambda: summarize(call, language=request.language),
        "action_items": lambda: find_action_items(call),
        "quality": lambda: measure_quality(call),
        "compliance": lambda: run_checks(call, request.checks),
    }
    return {name: makers[name]() for name in request.analyses}
