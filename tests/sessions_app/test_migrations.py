"""During an upgrade, servers of the version before write to the migrated database."""

import pytest
from django.db import connection, models

from sessions_app.models import Segment, Session, Track
from tests.factories import SegmentFactory, SessionFactory

pytestmark = pytest.mark.django_db


def insert_copy(row: models.Model, *unknown: str, **other: str | int) -> None:
    """Insert a copy of ``row``, with ``other`` values, as a server does that does not know the
    columns ``unknown``."""
    columns = [
        str(field.column)
        for field in row._meta.concrete_fields
        if field.name not in (*unknown, *other)
    ]
    kept, names = ", ".join(columns), ", ".join([*other, *columns])
    places = ", ".join(["%s"] * len(other))
    table = row._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {places}, {kept} FROM {table} WHERE id = %s",
            [*other.values(), row.pk],
        )


def test_servers_that_know_nothing_of_live_translation_create_sessions():
    translating = ("barge_in", "original_volume", "agent_voice", "customer_voice", "glossary")
    insert_copy(
        SessionFactory.create(), *translating, "subtitles", "translation_count", id="sess_2"
    )
    copy = Session.objects.get(id="sess_2")
    assert (copy.barge_in, copy.original_volume, copy.glossary) == (True, 0.0, {})
    assert (copy.agent_voice, copy.customer_voice) == (None, None)
    assert (copy.subtitles, copy.translation_count) == (True, 0)


def test_servers_that_know_nothing_of_live_translation_store_segments_and_tracks():
    segment = SegmentFactory.create(sequence=1)
    translating = ("translation_language", "translated_sequence", "source", "interrupted")
    insert_copy(segment, *translating, id="seg_2", sequence=2)
    copy = Segment.objects.get(id="seg_2")
    assert (copy.source, copy.interrupted, copy.translated_sequence) == ("human", False, None)

    track = Track.objects.create(session=segment.session, speaker="customer")
    insert_copy(track, "told_translation", id="trk_2", speaker="agent")
    assert Track.objects.get(id="trk_2").told_translation is None
