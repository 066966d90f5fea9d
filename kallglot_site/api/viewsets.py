"""The base class of every v1 view."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase
from rest_framework import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from kallglot_site.accounts.members import audit_record
from kallglot_site.accounts.models import ApiKey
from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api import throttling
from kallglot_site.api.authentication import api_key_note_use, api_key_use_is_due
from kallglot_site.api.errors import InvalidFieldValue, UnknownField
from kallglot_site.api.pagination import PARAMETERS, KeysetPagination, list_payload
from kallglot_site.api.parsers import request_json
from kallglot_site.api.serializers import EmptySerializer, StrictSerializer, validated

M = TypeVar("M", bound=Model)
S = TypeVar("S", bound=StrictSerializer)


class V1ViewSet(viewsets.ViewSet):
    """A resource of the v1 API, with authentication, scopes, rate limits and strict validation.

    Declare::

        class WidgetViewSet(V1ViewSet):
            throttle_group = "widgets"          # its requests are counted together
            scopes = {"list": "widgets:read", "create": "widgets:write"}   # every action
            paginated = {"list"}                # these take limit and the two cursors
            queries = {"list": WidgetListQuery} # other query parameters, as a StrictSerializer

            def list(self, request):
                widgets = selectors.widget_list(tenant=self.tenant, **self.query)
                return self.page(widgets, prefix="wid", payload=widget_payload)

            @idempotent                         # POSTs that create or end; see idempotency.py
            def create(self, request):
                data = self.body(WidgetInput)
                widget = services.widget_create(tenant=self.tenant, **data)
                return Response(widget_payload(widget), status=201)

            def retrieve(self, request, widget_id):
                widget = selectors.widget_get(tenant=self.tenant, widget_id=widget_id)
                return Response(widget_payload(widget))

    and route it with explicit methods in ``<app>/api/urls.py``, without a trailing slash::

        path("widgets", WidgetViewSet.as_view({"get": "list", "post": "create"}))
        path("widgets/<str:widget_id>", WidgetViewSet.as_view({"get": "retrieve"}))

    Order of checks: key (401), rate limit (429), scope (403), method (405), query (422), body
    (400, 413, 415, 422), then the object (404). Selectors find it with ``get_or_not_found``, so
    unknown, foreign and malformed ids get the same answer. Views read the body with
    ``self.body(…)`` only; an action without fields calls ``self.body()``, which refuses any field.
    Domain errors are subclasses of ``ApiError``; actions raise them. A new route also needs a row
    in ``tests/test_isolation.py``.
    """

    scopes: ClassVar[Mapping[str, str]] = {}
    throttle_group: ClassVar[str]
    queries: ClassVar[Mapping[str, type[StrictSerializer]]] = {}
    paginated: ClassVar[set[str]] = set()
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    action: str | None  # type: ignore[assignment]  # None: the route does not support the method
    rate: throttling.Rate | None = None

    @cached_property
    def api_key(self) -> ApiKey:
        return self.request.auth  # type: ignore[return-value]  # set by ApiKeyAuthentication

    @cached_property
    def tenant(self) -> Tenant:
        return Tenant(self.api_key.organization, self.api_key.environment)

    @cached_property
    def query(self) -> dict[str, Any]:
        """The action's own query parameters, validated, with defaults and without cursors."""
        declared = self.queries.get(self.action or "")
        if declared is None:
            return {}
        return validated(declared, self._query_values)

    def body(self, serializer_class: type[StrictSerializer] = EmptySerializer) -> dict[str, Any]:
        """The validated body. An empty body is an empty object."""
        return dict(self.input(serializer_class).validated_data)

    def input(self, serializer_class: type[S]) -> S:
        """The serializer with the validated body, for serializers that do more than validate."""
        serializer = serializer_class(data=self.json)
        serializer.is_valid(raise_exception=True)
        return serializer

    @cached_property
    def json(self) -> Any:
        """The body's JSON value, unvalidated."""
        return request_json(self.request._request)

    def page(
        self, queryset: QuerySet[M], *, prefix: str, payload: Callable[[M], dict[str, Any]]
    ) -> Response:
        """One page of a tenant-scoped queryset whose ids carry ``prefix``, as a list object."""
        pagination = KeysetPagination.from_query(self.request.GET, prefix)
        rows, has_more = pagination.page(queryset)
        return Response(list_payload(rows, has_more, self.request.path, payload))

    def audit(self, action: str, target: str, detail: str = "") -> None:
        """Record in the audit log what the key did. Call it in the transaction of the change."""
        audit_record(
            organization=self.tenant.organization,
            actor=self.api_key,
            action=action,
            target=target,
            detail=detail,
            environment=self.tenant.environment,
        )

    def has_scope(self, scope: str) -> bool:
        return scope in self.api_key.scopes

    # --- What DRF calls ----------------------------------------------------------------------

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        wrapped = super().initialize_request(request, *args, **kwargs)
        if self.action == "metadata":  # DRF's name for OPTIONS, which is not offered
            self.action = None
        return wrapped

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        key: ApiKey = request.auth  # type: ignore[assignment]  # set by ApiKeyAuthentication
        self.rate = throttling.count_request(key, self.throttle_group)
        self.rate.check()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.action and request.META.get("QUERY_STRING"):
            self._check_query(request)

    def finalize_response(  # type: ignore[override]  # actions may answer with any response
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[arg-type]  # as above
        if self.rate is None:
            return response
        for name, value in self.rate.headers.items():
            response.headers[name] = value
        if api_key_use_is_due(self.api_key):
            # Runs after the response is sent, so that the client does not wait for it.
            response._resource_closers.append(lambda: api_key_note_use(self.api_key))  # type: ignore[attr-defined]  # Django's own hook list
        return response

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {} if self.action else {"Allow": ", ".join(self.allowed_methods)}

    # --- Query strings -----------------------------------------------------------------------

    def _allowed_parameters(self) -> tuple[str, ...]:
        declared = self.queries.get(self.action or "")
        own = tuple(declared._declared_fields) if declared else ()
        return own + (PARAMETERS if self.action in self.paginated else ())

    def _check_query(self, request: Request) -> None:
        allowed = self._allowed_parameters()
        for name, values in request.GET.lists():
            if name not in allowed:
                known = ", ".join(f"`{each}`" for each in allowed) or "none"
                raise UnknownField(
                    f"Unknown query parameter. Allowed parameters: {known}.", param=name
                )
            if len(values) > 1:
                raise InvalidFieldValue("This query parameter may be given only once.", param=name)
            if "\0" in values[0]:
                raise InvalidFieldValue("Null characters are not allowed.", param=name)

    @property
    def _query_values(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.request.GET.items()
            if isinstance(value, str) and name not in PARAMETERS
        }
