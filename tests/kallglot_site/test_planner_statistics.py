import pytest
from django.db import connection

from kallglot_site import planner_statistics
from kallglot_site.tasks import refresh_statistics
from tests.factories import SessionFactory


def tables_known_to_the_planner() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tbl FROM sqlite_stat1")
        return {name for (name,) in cursor.fetchall()}


@pytest.mark.django_db
def test_only_large_tables_get_planner_statistics(monkeypatch):
    SessionFactory.create_batch(5)
    monkeypatch.setattr(planner_statistics, "MINIMUM_ROWS", 5)
    refresh_statistics()
    if connection.vendor != "sqlite":
        return  # left to autovacuum: nothing is run
    known = tables_known_to_the_planner()
    assert "sessions_app_session" in known
    assert "recordings_app_recording" not in known
