"""All v1 routes, one row each, for the tests of tenant isolation in ``test_isolation.py``.

A new route needs a row here. Its ``build`` creates the objects of the route in the given tenant,
and returns path and body of a request that succeeds with that tenant's key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis_app.models import Analysis
from kallglot_site.accounts.tenancy import Tenant
from sessions_app.agents import services as agents
from tests.factories import SegmentFactory, SessionFactory, document_ready, recording_ready
from webhooks_app import services as webhooks
from webhooks_app.delivery.urls import CheckedUrl
from webhooks_app.models import Delivery, Endpoint

Built = tuple[str, dict[str, Any] | None]


@dataclass(frozen=True)
class Row:
    """One route and method.

    ``id_in_path``: the path has the id of an object of the tenant; other tenants must get 404.
    ``scope``: the scope that a key needs; None: the route needs no key. ``success``: the status of
    the tenant's own request.
    """

    method: str
    route: str
    scope: str | None
    build: Callable[[Tenant], Built]
    success: int = 200
    id_in_path: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


def _session(tenant: Tenant, **values: Any) -> Any:
    return SessionFactory.create(
        organization=tenant.organization, environment=tenant.environment, **values
    )


def _at(path: str, body: dict[str, Any] | None = None) -> Callable[[Tenant], Built]:
    return lambda tenant: (path, body)


def _session_path(suffix: str = "", **values: Any) -> Callable[[Tenant], Built]:
    def build(tenant: Tenant) -> Built:
        session = _session(tenant, **values)
        SegmentFactory.create(session=session)
        return f"/v1/sessions/{session.id}{suffix}", None

    return build


_FINISHED = {"status": "ended", "transcript_status": "complete", "segment_count": 1}


def _analysis_path(tenant: Tenant) -> Built:
    analysis = Analysis.objects.create(
        **tenant.filters, session=_session(tenant, **_FINISHED), analyses=["quality"]
    )
    return f"/v1/analysis/{analysis.id}", None


def _analysis_request(tenant: Tenant) -> Built:
    path, _ = _session_path("/analysis", **_FINISHED)(tenant)
    return path, {"analyses": ["quality"]}


def _translation_request(tenant: Tenant) -> Built:
    path, _ = _session_path("/translate", **_FINISHED)(tenant)
    return path, {"language": "en"}  # as spoken: this needs no engine


def _webhook_endpoint(tenant: Tenant) -> Endpoint:
    url = CheckedUrl("https://203.0.114.1/hook")
    return webhooks.endpoint_create(tenant=tenant, url=url, events=["*"])[0]


def _endpoint_path(
    suffix: str = "", body: dict[str, Any] | None = None
) -> Callable[[Tenant], Built]:
    return lambda tenant: (f"/v1/webhook_endpoints/{_webhook_endpoint(tenant).id}{suffix}", body)


def _test_delivery(tenant: Tenant) -> Delivery:
    return webhooks.endpoint_test(endpoint=_webhook_endpoint(tenant))


def _delivery_path(suffix: str = "") -> Callable[[Tenant], Built]:
    return lambda tenant: (f"/v1/webhook_deliveries/{_test_delivery(tenant).id}{suffix}", None)


def _event_path(tenant: Tenant) -> Built:
    # A test event: other types also need the scope of their object.
    return f"/v1/events/{_test_delivery(tenant).event_id}", None


_ENDPOINT = "v1/webhook_endpoints/<str:endpoint_id>"
_DELIVERY = "v1/webhook_deliveries/<str:delivery_id>"


def _recording_path(suffix: str = "") -> Callable[[Tenant], Built]:
    return lambda tenant: (f"/v1/recordings/{recording_ready(tenant).id}{suffix}", None)


def _session_recordings(tenant: Tenant) -> Built:
    return f"/v1/sessions/{recording_ready(tenant).session_id}/recordings", None


def _agent(tenant: Tenant, body: dict[str, Any] | None = None) -> Built:
    return f"/v1/agents/{agents.agent_create(tenant=tenant, name='Order desk').id}", body


def _base_path(suffix: str = "", body: dict[str, Any] | None = None) -> Callable[[Tenant], Built]:
    return lambda tenant: (f"/v1/knowledge_bases/{document_ready(tenant)[0].id}{suffix}", body)


def _document_path(tenant: Tenant) -> Built:
    base, document = document_ready(tenant)
    return f"/v1/knowledge_bases/{base.id}/documents/{document.id}", None


_AGENT = "v1/agents/<str:agent_id>"
_BASE = "v1/knowledge_bases/<str:knowledge_base_id>"
_DOCUMENT = f"{_BASE}/documents/<str:document_id>"
_NAMED = {"name": "Help pages"}

ROWS: list[Row] = [
    Row("GET", "v1/agents", "agents:read", _at("/v1/agents"), id_in_path=False),
    Row("POST", "v1/agents", "agents:write", _at("/v1/agents", _NAMED), 201, id_in_path=False),
    Row("GET", _AGENT, "agents:read", _agent),
    Row("PATCH", _AGENT, "agents:write", lambda tenant: _agent(tenant, _NAMED)),
    Row("DELETE", _AGENT, "agents:write", _agent, 204),
    Row("GET", "v1/knowledge_bases", "agents:read", _at("/v1/knowledge_bases"), id_in_path=False),
    Row(
        "POST",
        "v1/knowledge_bases",
        "agents:write",
        _at("/v1/knowledge_bases", _NAMED),
        201,
        id_in_path=False,
    ),
    Row("GET", _BASE, "agents:read", _base_path()),
    Row("PATCH", _BASE, "agents:write", _base_path(body=_NAMED)),
    Row("DELETE", _BASE, "agents:write", _base_path(), 204),
    Row("POST", f"{_BASE}/search", "agents:read", _base_path("/search", {"query": "delivery"})),
    Row("GET", f"{_BASE}/documents", "agents:read", _base_path("/documents")),
    Row(
        "POST",
        f"{_BASE}/documents",
        "agents:write",
        _base_path("/documents", {"title": "Delivery", "text": "It takes three days."}),
        202,
    ),
    Row("GET", _DOCUMENT, "agents:read", _document_path),
    Row("DELETE", _DOCUMENT, "agents:write", _document_path, 204),
    Row("GET", "v1/openapi.json", None, _at("/v1/openapi.json"), id_in_path=False),
    Row("GET", "v1/docs", None, _at("/v1/docs"), id_in_path=False),
    Row("GET", "v1/languages", "sessions:read", _at("/v1/languages"), id_in_path=False),
    Row("GET", "v1/voices", "sessions:read", _at("/v1/voices"), id_in_path=False),
    Row("GET", "v1/sessions", "sessions:read", _at("/v1/sessions"), id_in_path=False),
    Row(
        "POST",
        "v1/sessions",
        "sessions:write",
        _at("/v1/sessions", {"mode": "transcription"}),
        success=201,
        id_in_path=False,
    ),
    Row("GET", "v1/sessions/<str:session_id>", "sessions:read", _session_path()),
    Row(
        "DELETE",
        "v1/sessions/<str:session_id>",
        "sessions:write",
        _session_path(status="ended"),
        success=204,
    ),
    Row("POST", "v1/sessions/<str:session_id>/end", "sessions:write", _session_path("/end")),
    Row(
        "POST",
        "v1/sessions/<str:session_id>/translate",
        "sessions:write",
        _translation_request,
        success=202,
    ),
    Row(
        "GET",
        "v1/sessions/<str:session_id>/transcript",
        "sessions:read",
        _session_path("/transcript"),
    ),
    Row(
        "GET",
        "v1/sessions/<str:session_id>/analysis",
        "analysis:read",
        _session_path("/analysis", **_FINISHED),
    ),
    Row(
        "POST",
        "v1/sessions/<str:session_id>/analysis",
        "analysis:write",
        _analysis_request,
        success=202,
    ),
    Row("GET", "v1/analysis/<str:analysis_id>", "analysis:read", _analysis_path),
    Row(
        "GET",
        "v1/webhook_endpoints",
        "webhooks:read",
        _at("/v1/webhook_endpoints"),
        id_in_path=False,
    ),
    Row(
        "POST",
        "v1/webhook_endpoints",
        "webhooks:write",
        _at("/v1/webhook_endpoints", {"url": "https://203.0.114.1/hook", "events": ["*"]}),
        success=201,
        id_in_path=False,
    ),
    Row("GET", _ENDPOINT, "webhooks:read", _endpoint_path()),
    Row("PATCH", _ENDPOINT, "webhooks:write", _endpoint_path(body={"status": "disabled"})),
    Row("DELETE", _ENDPOINT, "webhooks:write", _endpoint_path(), success=204),
    Row("POST", f"{_ENDPOINT}/rotate_secret", "webhooks:write", _endpoint_path("/rotate_secret")),
    Row("POST", f"{_ENDPOINT}/test", "webhooks:write", _endpoint_path("/test")),
    Row("GET", f"{_ENDPOINT}/deliveries", "webhooks:read", _endpoint_path("/deliveries")),
    Row(
        "POST",
        f"{_ENDPOINT}/redeliver",
        "webhooks:write",
        _endpoint_path("/redeliver", {"since": "2026-03-01T00:00:00Z"}),
    ),
    Row("GET", _DELIVERY, "webhooks:read", _delivery_path()),
    Row("POST", f"{_DELIVERY}/redeliver", "webhooks:write", _delivery_path("/redeliver")),
    Row("GET", "v1/events", "webhooks:read", _at("/v1/events"), id_in_path=False),
    Row("GET", "v1/events/<str:event_id>", "webhooks:read", _event_path),
    Row("GET", "v1/event_types", "webhooks:read", _at("/v1/event_types"), id_in_path=False),
    Row(
        "GET",
        "v1/sessions/<str:session_id>/recordings",
        "recordings:read",
        _session_recordings,
    ),
    Row("GET", "v1/recordings/<str:recording_id>", "recordings:read", _recording_path()),
    Row(
        "GET",
        "v1/recordings/<str:recording_id>/download",
        "recordings:read",
        _recording_path("/download"),
        success=302,
    ),
    Row(
        "GET",
        "v1/recordings/<str:recording_id>/audio",
        "recordings:read",
        _recording_path("/audio"),
    ),
]
