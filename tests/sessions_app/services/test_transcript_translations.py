"""The translation of a whole transcript is a row: leased, stored by segments, finished once."""

import datetime
from collections.abc import Callable

import pytest
from django.utils import timezone

from kallglot_site.api.errors import NotFound
from sessions_app import services as sessions
from sessions_app.engines.base import EngineRejected, EngineUnavailable
from sessions_app.errors import (
    FeatureNotAvailable,
    SessionNotEnded,
    TranscriptUnavailable,
    UnsupportedLanguagePair,
)
from sessions_app.models import Segment, Session, TranscriptTranslation, TranslatedSegment
from sessions_app.selectors import segments_translated, transcript_translation_get
from sessions_app.services import transcript_translations as work
from sessions_app.services.transcript_translations import (
    TRANSLATIONS,
    transcript_translation_request,
)
from sessions_app.tasks import translate_due
from tests.factories import SegmentFactory, SessionFactory
from tests.fakes.engines import FakeTranslator

pytestmark = pytest.mark.django_db

PAIRS = {("es", "de"), ("en", "de"), ("es", "en"), ("en", "es")}
SAID = [
    ("customer", "es", "Hola."),
    ("agent", "en", "Good morning."),
    ("customer", "es", "Mi pedido no ha llegado."),
    ("agent", "en", "I am sorry."),
    ("customer", "es", "Gracias."),
    ("agent", "en", "Goodbye."),
]


@pytest.fixture
def session() -> Session:
    """A finished call between a customer who speaks Spanish and an agent who speaks English."""
    session = SessionFactory.create(
        status="ended",
        transcript_status="complete",
        segment_count=len(SAID),
        source_language="es",
        target_language="en-US",
    )
    for number, (speaker, language, text) in enumerate(SAID, 1):
        SegmentFactory.create(
            session=session, sequence=number, speaker=speaker, language=language, text=text
        )
    return session


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeTranslator]:
    """Translate with a scripted engine."""

    def use(*errors: Exception, known: set[tuple[str, str]] = PAIRS) -> FakeTranslator:
        translator = FakeTranslator(*errors, known=known)
        monkeypatch.setattr(work, "configured_translator", lambda: translator)
        monkeypatch.setattr(work, "text_translation_pairs", translator.pairs)
        return translator

    return use


@pytest.fixture
def translator(use: Callable[..., FakeTranslator]) -> FakeTranslator:
    return use()


def texts(translation: TranscriptTranslation) -> list[str | None]:
    translation.refresh_from_db()
    return [segment.translation for segment in segments_translated(translation)]


def due_now(translation: TranscriptTranslation) -> None:
    TranscriptTranslation.objects.filter(id=translation.id).update(due_at=timezone.now())


IN_GERMAN = [f"[de] {text}" for _, _, text in SAID]


def test_every_segment_is_translated_from_its_own_language(session, translator):
    translation = transcript_translation_request(session=session, language="de")
    assert (translation.status, texts(translation)) == ("queued", [None] * 6)
    translate_due()
    assert texts(translation) == IN_GERMAN
    assert (translation.status, translation.error) == ("complete", None)
    assert translation.completed_at is not None
    assert translator.closed
    assert {(each.source, each.target) for each in translator.requests} == {
        ("es", "de"),
        ("en", "de"),
    }


def test_a_request_carries_what_was_said_just_before(session, translator):
    transcript_translation_request(session=session, language="de")
    translate_due()
    contexts = {each.text: each.context for each in translator.requests}
    assert contexts["Hola."] == ()
    assert contexts["I am sorry."] == ("Hola.", "Good morning.", "Mi pedido no ha llegado.")


def test_the_live_translation_stays_as_it_is(session, translator):
    Segment.objects.filter(session=session, sequence=1).update(
        translation="Hello.", translation_language="en"
    )
    transcript_translation_request(session=session, language="de")
    translate_due()
    assert Segment.objects.get(session=session, sequence=1).translation == "Hello."


def test_what_was_translated_live_into_that_language_is_used(session, translator):
    Segment.objects.filter(session=session, sequence=1).update(
        translation="Hi there.", translation_language="en-GB"
    )
    translation = transcript_translation_request(session=session, language="en")
    translate_due()
    assert texts(translation) == [
        "Hi there.",
        None,
        "[en] Mi pedido no ha llegado.",
        None,
        "[en] Gracias.",
        None,
    ]
    assert "Hola." not in translator.texts


def test_the_glossary_holds_between_the_parties_and_names_hold_in_every_language(
    session, translator
):
    session.glossary = {"pedido": "order", "Kallglot": "Kallglot"}
    session.save()
    for language in ("en", "de"):
        transcript_translation_request(session=session, language=language)
    translate_due()
    glossaries = {each.target: each.glossary for each in translator.requests}
    assert glossaries["en"] == session.glossary
    assert glossaries["de"] == {"Kallglot": "Kallglot"}


# --- what is refused -------------------------------------------------------------------------


def test_a_running_session_is_not_translated(session, translator):
    session.status = "active"
    with pytest.raises(SessionNotEnded):
        transcript_translation_request(session=session, language="de")


def test_a_session_in_which_nothing_was_said_is_not_translated(translator):
    session = SessionFactory.create(status="ended", transcript_status="complete")
    with pytest.raises(TranscriptUnavailable):
        transcript_translation_request(session=session, language="de")


def test_a_language_that_no_engine_translates_into_is_refused_with_those_that_are(
    session, translator
):
    with pytest.raises(UnsupportedLanguagePair, match=r"into fr\. Possible: de, en, es\."):
        transcript_translation_request(session=session, language="fr")
    assert not TranscriptTranslation.objects.exists()


def test_an_installation_without_a_translator_names_the_setting(session, use, monkeypatch):
    monkeypatch.setattr(work, "text_translation_pairs", frozenset)
    with pytest.raises(FeatureNotAvailable, match="TRANSLATOR_URL"):
        transcript_translation_request(session=session, language="de")


def test_a_session_that_was_erased_meanwhile_does_not_exist(session, translator):
    Session.objects.filter(id=session.id).delete()
    with pytest.raises(NotFound):
        transcript_translation_request(session=session, language="de")


# --- waiting, failing and going on -----------------------------------------------------------


def test_the_translation_waits_until_the_transcript_is_complete(session, translator):
    Session.objects.filter(id=session.id).update(transcript_status="in_progress")
    session.refresh_from_db()
    translation = transcript_translation_request(session=session, language="de")
    translate_due()
    translation.refresh_from_db()
    assert translation.status == "queued"
    SegmentFactory.create(session=session, sequence=7, text="One more word.")
    Session.objects.filter(id=session.id).update(transcript_status="complete")
    translate_due()
    assert texts(translation) == [*IN_GERMAN, "[de] One more word."]


def test_a_transcript_that_turns_out_to_be_empty_fails(translator):
    session = SessionFactory.create(status="ended")
    translation = transcript_translation_request(session=session, language="de")
    Session.objects.filter(id=session.id).update(transcript_status="complete")
    translate_due()
    translation.refresh_from_db()
    assert (translation.status, translation.error) == (
        "failed",
        "Nothing was said in this session.",
    )


def test_an_engine_that_is_away_is_asked_again_later_and_only_for_the_rest(session, use):
    translator = use(*[EngineUnavailable("away")] * 2)
    translation = transcript_translation_request(session=session, language="de")
    translate_due()
    assert texts(translation) == [None, None, IN_GERMAN[2], IN_GERMAN[3], None, None]
    assert translation.status == "queued"
    assert translation.due_at > timezone.now()
    translator.requests.clear()
    due_now(translation)
    translate_due()
    assert texts(translation) == IN_GERMAN
    assert translation.status == "complete"
    assert sorted(translator.texts) == sorted([SAID[each][2] for each in (0, 1, 4, 5)])


def test_an_engine_that_stays_away_makes_it_fail(session, use):
    use(*[EngineUnavailable("away")] * 100)
    translation = transcript_translation_request(session=session, language="de")
    for _ in range(TRANSLATIONS.max_attempts):
        due_now(translation)
        translate_due()
    translation.refresh_from_db()
    assert translation.status == "failed"
    assert translation.error == "The translator could not be reached."


def test_attempts_that_translated_something_do_not_make_it_fail(session, use, monkeypatch):
    monkeypatch.setattr(work, "AT_ONCE", 1)
    translator = use()
    translation = transcript_translation_request(session=session, language="de")
    TranscriptTranslation.objects.filter(id=translation.id).update(
        attempts=TRANSLATIONS.max_attempts - 1
    )
    asked = translator.translate

    async def answer_once(request, **more):
        translator.errors.extend([EngineUnavailable("away")] if translator.requests else [])
        return await asked(request, **more)

    monkeypatch.setattr(translator, "translate", answer_once)
    translate_due()
    translation.refresh_from_db()
    assert (translation.status, translation.attempts) == ("queued", 1)


def test_a_worker_goes_on_where_another_was_killed(session, use, monkeypatch):
    translator = use()
    translation = transcript_translation_request(session=session, language="de")

    class Killed(BaseException):
        pass

    stored = work._store

    def store_and_die(row, some):
        stored(row, some)
        if some:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(work, "_store", store_and_die)
        with pytest.raises(Killed):
            translate_due()
    assert texts(translation) == [*IN_GERMAN[:4], None, None]
    assert translation.status == "processing"
    translate_due()
    assert translation.status == "processing"  # until the lease of the killed worker ends
    translator.requests.clear()
    due_now(translation)
    translate_due()
    assert texts(translation) == IN_GERMAN
    assert translator.texts == [SAID[4][2], SAID[5][2]]


def test_a_worker_that_lost_its_lease_stores_nothing(session, translator):
    translation = transcript_translation_request(session=session, language="de")
    slow = TRANSLATIONS.claim_next()
    assert slow is not None
    due_now(translation)
    assert TRANSLATIONS.claim_next() is not None
    assert not TRANSLATIONS.work_on(slow, work._run, work._give_up)
    assert not TranslatedSegment.objects.exists()


def test_a_long_transcript_lets_others_be_served_in_between(session, translator, monkeypatch):
    monkeypatch.setattr(work, "TURN_SECONDS", -1.0)
    translation = transcript_translation_request(session=session, language="de")
    claimed = TRANSLATIONS.claim_next()
    assert claimed is not None
    assert TRANSLATIONS.work_on(claimed, work._run, work._give_up)
    translation.refresh_from_db()
    assert (translation.status, translation.lease, translation.attempts) == ("processing", "", 0)
    assert TranslatedSegment.objects.count() == work.AT_ONCE
    translate_due()
    assert texts(translation) == IN_GERMAN
    assert translation.status == "complete"


def test_segments_that_no_engine_translates_are_left_untranslated(session, use):
    use(known={("es", "de")})
    translation = transcript_translation_request(session=session, language="de")
    translate_due()
    assert texts(translation) == [
        IN_GERMAN[number] if language == "es" else None
        for number, (_, language, _) in enumerate(SAID)
    ]
    assert translation.status == "complete"


def test_a_transcript_of_which_nothing_can_be_translated_fails(session, use):
    use(*[EngineRejected("too strange")] * 6)
    translation = transcript_translation_request(session=session, language="de")
    translate_due()
    translation.refresh_from_db()
    assert translation.status == "failed"
    assert "into de" in (translation.error or "")


def test_an_engine_that_breaks_makes_it_fail_and_its_words_are_not_logged(session, use, caplog):
    use(*[ValueError("Mi pedido no ha llegado.")] * 6)
    translation = transcript_translation_request(session=session, language="de")
    translate_due()
    translation.refresh_from_db()
    assert translation.error == "The translator met an internal error."
    assert "ValueError" in caplog.text
    assert "pedido" not in caplog.text


def test_asking_again_returns_the_same_translation(session, translator):
    first = transcript_translation_request(session=session, language="de")
    translate_due()
    again = transcript_translation_request(session=session, language="de-AT")
    assert (again.id, again.status) == (first.id, "complete")


def test_asking_again_tries_a_failed_translation_again_and_keeps_its_texts(session, use):
    translator = use(EngineRejected("too strange"), *[ValueError()] * 3)
    translation = transcript_translation_request(session=session, language="de")
    translate_due()
    TranslatedSegment.objects.create(
        translation=translation, segment=Segment.objects.get(sequence=2), text="Moin."
    )
    again = transcript_translation_request(session=session, language="de")
    assert (again.id, again.status, again.error) == (translation.id, "queued", None)
    translate_due()
    assert texts(translation) == [IN_GERMAN[0], "Moin.", *IN_GERMAN[2:]]
    assert translation.status == "complete"
    assert translator.errors == type(translator.errors)()


def test_erasing_a_session_erases_its_translations(session, translator):
    transcript_translation_request(session=session, language="de")
    translate_due()
    sessions.session_erase(session=session)
    assert not TranscriptTranslation.objects.exists()
    assert not TranslatedSegment.objects.exists()


def test_a_session_that_is_erased_while_it_is_translated_stays_erased(
    session, translator, monkeypatch
):
    transcript_translation_request(session=session, language="de")
    stored = work._store

    def erase_first(row, some):
        if some:
            sessions.session_erase(session=session)
        stored(row, some)

    monkeypatch.setattr(work, "_store", erase_first)
    translate_due()
    assert not Session.objects.exists()
    assert not TranslatedSegment.objects.exists()


def test_a_language_that_was_not_asked_for_is_not_found(session, translator):
    transcript_translation_request(session=session, language="de")
    assert transcript_translation_get(session=session, language="de-AT").language == "de"
    with pytest.raises(NotFound):
        transcript_translation_get(session=session, language="fr")


def test_the_longest_due_translation_is_made_first(session, translator):
    late = transcript_translation_request(session=session, language="de")
    early = transcript_translation_request(session=session, language="en")
    past = timezone.now() - datetime.timedelta(minutes=1)
    TranscriptTranslation.objects.filter(id=early.id).update(due_at=past)
    assert TRANSLATIONS.claim_next().id == early.id
    assert TRANSLATIONS.claim_next().id == late.id
