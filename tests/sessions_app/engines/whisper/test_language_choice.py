from sessions_app.engines.whisper.language_choice import expecting, score, to_try, weighed

# What the model detects in a telephone call's "Un homenaje a …", and in one with noise.
UNCLEAR = [("bn", 0.22), ("ro", 0.1), ("sw", 0.1), ("si", 0.09), ("el", 0.05), ("es", 0.034)]


def first(shares: list[tuple[str, float]]) -> str:
    return shares[0][0]


def test_a_sure_detection_is_taken_in_any_language() -> None:
    assert to_try(weighed([("si", 0.97), ("en", 0.001)])) == ["si"]
    assert to_try(weighed([("es", 0.9), ("it", 0.05)])) == ["es"]


def test_a_rare_language_needs_more_evidence_than_a_common_one() -> None:
    assert first(weighed(UNCLEAR)) == "es"


def test_close_candidates_are_all_tried_but_not_the_hopeless_ones() -> None:
    assert to_try(weighed(UNCLEAR)) == ["es", "ro", "el"]
    assert to_try(weighed([("es", 0.6), ("it", 0.3), ("pt", 0.01)])) == ["es", "it"]


def test_more_languages_are_tried_when_the_detection_says_little() -> None:
    little = [
        (code, 0.3 if code == "hi" else 0.1) for code in ("el", "hi", "es", "it", "pt", "de", "fr")
    ]
    assert len(to_try(weighed(little))) == 6


def test_only_allowed_languages_are_chosen_and_none_of_them_is_rare() -> None:
    assert first(weighed(UNCLEAR, ("sw", "es"))) == "sw"
    assert to_try(weighed([("en", 0.9), ("es", 0.02)], ("es",))) == ["es"]
    assert to_try(weighed(UNCLEAR, ("xx",))) == []


def test_shares_add_up_to_one() -> None:
    assert abs(sum(share for _, share in expecting(weighed(UNCLEAR), "es")) - 1) < 1e-9


def test_the_speakers_language_wins_a_weak_detection() -> None:
    found = weighed([("ms", 0.5), ("en", 0.3)])
    assert first(expecting(found, "en")) == "en"


def test_a_sure_detection_of_another_language_wins_at_once() -> None:
    found = weighed([("fr", 0.998), ("en", 0.0004)])
    assert to_try(expecting(found, "en")) == ["fr"]


def test_the_likelier_text_decides_between_close_candidates() -> None:
    assert score(-0.92, 0.3) > score(-1.23, 0.45)
    assert score(-1.0, 0.5) > score(-0.95, 0.05)
    assert score(-1.0, 0.0) < score(-1.0, 0.01)
