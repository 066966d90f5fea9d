"""What the analyzers make is what the served schema says, with no property besides."""

import copy
import datetime
from typing import Any

import jsonschema
import pytest

from analysis_app import services
from analysis_app.engines.base import ANALYSIS_TYPES
from analysis_app.tasks import analyze_due
from sessions_app.models import Session
from tests.analysis_app.engines.test_openai import serving
from tests.analysis_app.evaluation import call_from, read_cases
from tests.factories import SegmentFactory, SessionFactory
from tests.kallglot_site.api.served_schema import assert_described, assert_valid, served

PATH = "/v1/analysis/{analysis_id}"


@pytest.fixture
def call_of(cast):
    """Writes a case as an ended session with its transcript."""

    def make(case: dict[str, Any]) -> Session:
        call = call_from(case)
        began = datetime.datetime.combine(call.date, datetime.time(9), datetime.UTC)
        session = SessionFactory.create(
            organization=cast.organization,
            status="ended",
            transcript_status="complete",
            started_at=began,
            ended_at=began + datetime.timedelta(seconds=call.duration),
            duration=call.duration,
            segment_count=len(call.turns),
            source_language=call.source_language,
            target_language=call.target_language,
        )
        for number, turn in enumerate(call.turns, start=1):
            SegmentFactory.create(
                session=session,
                sequence=number,
                speaker=turn.speaker,
                language=turn.language,
                text=turn.text,
                translation=turn.translation,
                start_time=turn.start,
                end_time=turn.end,
            )
        return session

    return make


@pytest.fixture
def analyzed(api, cast):
    """Analyzes a session, and gives the answer to a GET of the finished analysis."""

    def analyze(session: Session, analyses: tuple[str, ...] = ANALYSIS_TYPES) -> Any:
        made = services.analysis_request(tenant=cast.tenant, session=session, analyses=analyses)
        analyze_due()
        return api.get(f"/v1/analysis/{made.id}")

    return analyze


CASES = [pytest.param(case, id=name) for name, case in read_cases()]


@pytest.mark.parametrize("case", CASES)
def test_the_local_analyzers_results_are_as_the_schema_says(api, call_of, analyzed, case):
    answer = analyzed(call_of(case))
    assert answer.json()["status"] == "complete"
    assert set(answer.json()["results"]) == set(ANALYSIS_TYPES)
    assert_described(served(api), "GET", PATH, answer)


def _of_schema(schema: dict[str, Any], segment: str) -> Any:
    """A value of a schema that a language model is given, with every array as one item."""
    if "enum" in schema:
        return schema["enum"][-1]
    kind = schema["type"]
    if kind == "object":
        return {name: _of_schema(each, segment) for name, each in schema["properties"].items()}
    if kind == "array":
        return [_of_schema(schema["items"], segment)]
    if kind == "number":
        return 0.5
    return "2026-03-28" if "null" in kind else segment


def test_a_language_models_results_are_as_the_schema_says(api, settings, call_of, analyzed):
    session = call_of(dict(read_cases())["order_delayed_resolved"])
    segment = session.segments.earliest("sequence").id

    def answer(body: dict[str, Any]) -> tuple[int, Any]:
        schema = body["response_format"]["json_schema"]["schema"]
        return 200, _of_schema(schema, segment)

    with serving(answer) as model:
        settings.ANALYZER_URL = model.url
        found = analyzed(session)
    assert found.json()["engine"] == "openai:tiny"
    results = found.json()["results"]
    assert results["summary"]["key_points"]
    assert results["sentiment"]["key_moments"]
    assert results["action_items"][0]["due_date"] == "2026-03-28"
    assert_described(served(api), "GET", PATH, found)


@pytest.mark.parametrize("name", ANALYSIS_TYPES)
def test_each_analysis_may_be_alone(api, session, analyzed, name):
    answer = analyzed(session, (name,))
    assert list(answer.json()["results"]) == [name]
    assert_described(served(api), "GET", PATH, answer)


def test_a_queued_and_a_failed_analysis_are_as_the_schema_says(api, cast, session):
    made = services.analysis_request(tenant=cast.tenant, session=session, analyses=["quality"])
    document = served(api)
    queued = api.get(f"/v1/analysis/{made.id}")
    assert (queued.json()["status"], queued.json()["results"]) == ("queued", {})
    assert_described(document, "GET", PATH, queued)
    claimed = services.ANALYSES.claim_next()
    assert claimed is not None
    services.analysis_fail(analysis=claimed, reason="The engine is away.")
    failed = api.get(f"/v1/analysis/{made.id}")
    assert failed.json()["error"] == "The engine is away."
    assert_described(document, "GET", PATH, failed)


def _objects(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [each for item in value for each in _objects(item)]
    if isinstance(value, dict):
        return [value, *(each for item in value.values() for each in _objects(item))]
    return []


def test_a_key_that_the_schema_does_not_name_is_noticed_at_any_depth(api, call_of, analyzed):
    document = served(api)
    results = analyzed(call_of(dict(read_cases())["order_delayed_resolved"])).json()["results"]
    schema = {"$ref": "#/components/schemas/AnalysisResults"}
    assert_valid(document, schema, results)
    places = len(_objects(results))
    assert places > len(ANALYSIS_TYPES)
    for place in range(places):
        altered = copy.deepcopy(results)
        _objects(altered)[place]["surprise"] = 1
        with pytest.raises(jsonschema.ValidationError):
            assert_valid(document, schema, altered)
