from sessions_app.engines.languages import SpeakerLanguage


def heard(*observations: tuple[str, float, float]) -> SpeakerLanguage:
    speaker = SpeakerLanguage()
    for observation in observations:
        speaker.observe(*observation)
    return speaker


def test_an_unknown_speaker_is_left_to_detection() -> None:
    assert SpeakerLanguage().language_hint(3.0) is None


def test_one_sure_sentence_settles_the_language() -> None:
    assert heard(("es", 0.97, 3.0)).language_hint(2.0) == "es"


def test_a_short_word_does_not_settle_the_language() -> None:
    assert heard(("cy", 0.9, 0.6)).settled is None


def test_a_short_word_of_an_unsettled_speaker_gets_the_best_guess() -> None:
    speaker = heard(("de", 0.6, 2.0))
    assert speaker.settled is None
    assert speaker.language_hint(0.5) == "de"
    assert speaker.language_hint(3.0) is None


def test_two_less_sure_sentences_settle_the_language() -> None:
    assert heard(("pt", 0.6, 3.0)).settled is None
    assert heard(("pt", 0.6, 3.0), ("pt", 0.65, 3.0)).settled == "pt"


def test_one_sentence_in_another_language_changes_nothing() -> None:
    speaker = heard(*[("es", 0.95, 3.0)] * 5, ("en", 0.98, 3.0))
    assert speaker.settled == "es"


def test_several_sentences_in_another_language_change_the_language() -> None:
    speaker = heard(*[("es", 0.95, 3.0)] * 10)
    changes = [speaker.observe("en", 0.95, 4.0) for _ in range(3)]
    assert changes.count(True) == 1
    assert speaker.settled == "en"


def test_short_words_in_another_language_never_change_the_language() -> None:
    speaker = heard(*[("en", 0.95, 4.0)] * 3)
    for _ in range(20):
        speaker.observe("ko", 0.6, 0.7)
        speaker.observe("en", 0.95, 3.0)
    assert speaker.settled == "en"


def test_a_fixed_language_never_changes() -> None:
    speaker = SpeakerLanguage("es-MX")
    assert not speaker.observe("en", 1.0, 10.0)
    assert speaker.language_hint(9.0) == "es"


def test_an_engine_that_reports_no_detection_must_detect_every_few_utterances() -> None:
    speaker = heard(("es", 0.97, 3.0))
    hints = [speaker.language_hint(4.0) for _ in range(12)]
    assert hints[:8] == ["es"] * 8
    assert None in hints[8:]


def test_no_detection_is_no_observation() -> None:
    speaker = SpeakerLanguage()
    assert not speaker.observe(None, 0.0, 5.0)
    assert speaker.likely is None
