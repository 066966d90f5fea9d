"""What every v1 route must refuse, and the table that says so. ``test_isolation.py`` runs it.

A new route needs one row here. Its ``build`` makes whatever the route names, inside the given
tenant, and returns the path (and body) of a request that would succeed for that tenant's key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis_app.models import Analysis
from kallglot_site.accounts.tenancy import Tenant
from tests.factories import SegmentFactory, SessionFactory

Built = tuple[str, dict[str, Any] | None]


@dataclass(frozen=True)
class Row:
    """One route and method.

    ``id_in_path``: the path names an object of the tenant, which for another tenant must not
    exist. ``scope``: what a key needs; None: the route is open to everyone, without a key.
    ``success``: the status of the tenant's own request.
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


ROWS: list[Row] = [
    Row("GET", "v1/languages", "sessions:read", _at("/v1/languages"), id_in_path=False),
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
]
