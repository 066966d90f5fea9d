"""Scopes of API keys: each action names the scope it needs."""

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from kallglot_site.accounts.models import ApiKey
from kallglot_site.api.errors import ApiError

if TYPE_CHECKING:  # rest_framework.views imports this module by its setting
    from rest_framework.views import APIView


class InsufficientPermissions(ApiError):
    code = "insufficient_permissions"


def scope_require(key: ApiKey, scope: str) -> None:
    """Raises InsufficientPermissions, naming the scope that is missing."""
    if scope not in key.scopes:
        raise InsufficientPermissions(
            f"This API key does not have the scope `{scope}`, which this request needs."
        )


class HasScope(BasePermission):
    """The key needs the scope ``view.scopes[view.action]``. Every action must have one there."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        action: str | None = getattr(view, "action", None)
        if action is None:
            return True  # the route does not support the method: the answer is a 405
        scopes: dict[str, Any] = getattr(view, "scopes", {})
        scope_require(request.auth, scopes[action])  # type: ignore[arg-type]  # authenticated
        return True
