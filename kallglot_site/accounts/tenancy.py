"""The tenant: selectors and services take one, and nothing else decides what is visible."""

from dataclasses import dataclass

from kallglot_site.accounts.models import Organization


@dataclass(frozen=True, slots=True)
class Tenant:
    """The live or the test environment of an organization. It sees no other tenant's objects."""

    organization: Organization
    environment: str  # "live" or "test"

    @property
    def filters(self) -> dict[str, str]:
        """Keyword arguments that scope a queryset of objects with these two columns."""
        return {"organization_id": self.organization.id, "environment": self.environment}
