"""One page of search results, at a bounded cost for every combination of filters.

Indexes answer what they can. Other filters (a language, a duration, frequent words) need a scan
of the list of sessions: ``kallglot_site.api.bounded_search``.
"""

from typing import Final

from django.db.models import QuerySet

from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.bounded_search import FIRST_BATCH_SIZE, Found, search_in_batches
from kallglot_site.api.pagination import KeysetPagination
from sessions_app.models import Session
from sessions_app.search.index import session_ids_from_index, sessions_matching_by_scan
from sessions_app.search.sessions import (
    Criteria,
    sessions_filtered_by_index,
    sessions_filtered_by_scan,
)

FIRST_BATCH_SIZE_FOR_WORDS: Final = 500
"""Sessions in the first scan for frequent words."""


def session_page(*, tenant: Tenant, criteria: Criteria, page: KeysetPagination) -> Found[Session]:
    """The tenant's sessions that match the criteria, from the page's cursor on."""
    sessions = sessions_filtered_by_index(tenant=tenant, criteria=criteria)
    frequent = False
    if criteria.terms:
        found_ids = session_ids_from_index(criteria.terms, sessions.db)
        if found_ids is not None:
            sessions = sessions_filtered_by_scan(sessions.filter(id__in=found_ids), criteria)
            return Found(*page.page(sessions))
        frequent = True
    elif not criteria.needs_scan(sessions.db):
        return Found(*page.page(sessions))

    def matching(within: QuerySet[Session], first: bool) -> QuerySet[Session]:
        found = sessions_filtered_by_scan(within, criteria)
        return (
            sessions_matching_by_scan(found, criteria.terms, within, few=first)
            if frequent
            else found
        )

    size = FIRST_BATCH_SIZE_FOR_WORDS if frequent else FIRST_BATCH_SIZE
    return search_in_batches(sessions, page, matching, first_batch_size=size)
