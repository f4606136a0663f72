"""Who may call REST: API keys and their roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.core.addresses import client_address
from apps.core.api_keys import ApiKeyPrincipal, api_key_principal
from apps.core.roles import Role

if TYPE_CHECKING:
    from rest_framework.views import APIView

METHODS_THAT_ONLY_LOOK = ("OPTIONS", "HEAD")


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY`."""

    def authenticate(self, request: Request) -> tuple[ApiKeyPrincipal, None] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        if len(parts) != 2:
            raise exceptions.AuthenticationFailed("Send one key: Authorization: Bearer KEY.")
        principal = api_key_principal(parts[1].decode("latin-1"), address=client_address(request))
        if principal is None:
            raise exceptions.AuthenticationFailed(
                "This key is not valid: it is unknown, has expired or was revoked. "
                "An admin makes keys under API keys."
            )
        return principal, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    target_class = "apps.core.api_auth.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key of a project."}


class RolePermission(BasePermission):
    """Grants a method to keys with at least the role that the view's `roles` names for it."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, ApiKeyPrincipal):
            return False
        method = "GET" if request.method in METHODS_THAT_ONLY_LOOK else request.method
        needed: Role | None = getattr(view, "roles", {}).get(method)
        if needed is None:
            raise exceptions.MethodNotAllowed(request.method or "")
        if not request.user.actor.may(needed):
            self.message = (
                f"This needs a key with the role {needed.label}; this key is {request.user.role_name}."
            )
            return False
        if method != "GET" and request.user.project.archived_at is not None:
            self.message = (
                "This project is archived and read only. An admin can bring it back in its settings."
            )
            return False
        return True
