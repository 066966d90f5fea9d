"""A transcript is translated by the engine that is installed, in the worker's task."""

import shutil

import pytest

from sessions_app import capabilities
from sessions_app.selectors import segments_translated
from sessions_app.services.transcript_translations import transcript_translation_request
from sessions_app.tasks import translate_due
from tests.factories import SegmentFactory, SessionFactory
from tests.requirements import missing

pytestmark = [pytest.mark.django_db, pytest.mark.engine]


@pytest.fixture
def apertium(settings: pytest.FixtureRequest) -> None:
    settings.TRANSLATOR_URL = "whisper://,apertium://"  # type: ignore[attr-defined]  # pytest-django
    if not (shutil.which("apertium") and ("en", "es") in capabilities.text_translation_pairs()):
        missing("Apertium for English and Spanish (apt-get install apertium-en-es)")


def test_both_parties_words_are_translated_and_whisper_is_not_asked(apertium: None) -> None:
    session = SessionFactory.create(status="ended", transcript_status="complete", segment_count=2)
    SegmentFactory.create(session=session, sequence=1, text="The house is red.")
    SegmentFactory.create(
        session=session, sequence=2, speaker="agent", language="es", text="El libro es verde."
    )
    into_english = transcript_translation_request(session=session, language="en")
    into_spanish = transcript_translation_request(session=session, language="es")
    translate_due()
    for translation, expected in (
        (into_english, [None, "The book is green."]),
        (into_spanish, ["La casa es roja.", None]),
    ):
        translation.refresh_from_db()
        assert translation.status == "complete", translation.error
        assert [each.translation for each in segments_translated(translation)] == expected
