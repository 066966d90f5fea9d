"""A page of found sessions, at a cost that is bounded whatever is asked for.

What an index answers is asked of it. All else (a language, a duration, frequent words) is looked
for among the sessions of the list: ``kallglot_site.api.bounded_search``.
"""

from typing import Final

from django.db.models import QuerySet

from kallglot_site.accounts.tenancy import Tenant
from kallglot_site.api.bounded_search import FIRST_STRETCH, Found, look_through
from kallglot_site.api.pagination import KeysetPagination
from sessions_app.models import Session
from sessions_app.search.index import sessions_holding, sessions_naming
from sessions_app.search.sessions import Criteria, sessions_checked, sessions_indexed

FIRST_STRETCH_FOR_WORDS: Final = 500
"""Sessions."""


def session_page(*, tenant: Tenant, criteria: Criteria, page: KeysetPagination) -> Found[Session]:
    """The tenant's sessions that meet the criteria, from the page's cursor on."""
    sessions = sessions_indexed(tenant=tenant, criteria=criteria)
    frequent = False
    if criteria.terms:
        named = sessions_naming(criteria.terms, sessions.db)
        if named is not None:
            sessions = sessions_checked(sessions.filter(id__in=named), criteria)
            return Found(*page.page(sessions))
        frequent = True
    elif not criteria.is_checked(sessions.db):
        return Found(*page.page(sessions))

    def matching(within: QuerySet[Session], first: bool) -> QuerySet[Session]:
        found = sessions_checked(within, criteria)
        return sessions_holding(found, criteria.terms, within, few=first) if frequent else found

    stretch = FIRST_STRETCH_FOR_WORDS if frequent else FIRST_STRETCH
    return look_through(sessions, page, matching, stretch=stretch)
