"""Whose objects: every selector and service takes a Tenant, and nothing else decides visibility."""

from dataclasses import dataclass

from kallglot_site.accounts.models import Organization


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organization's live or test world. Objects of another tenant do not exist for it."""

    organization: Organization
    environment: str  # "live" or "test"

    @property
    def filters(self) -> dict[str, str]:
        """Keyword arguments that scope a queryset of objects with these two columns."""
        return {"organization_id": self.organization.id, "environment": self.environment}
