import numpy as np

from kallglot_site.caller.spoken import SCRIPT, TRANSLATED_SCRIPT, lay_out


def test_parties_take_turns_on_one_timeline():
    line = np.ones(8_000, np.int16)
    tracks = lay_out([("agent", line), ("customer", line), ("agent", line)])
    assert len(tracks["agent"]) == len(tracks["customer"])
    together = (tracks["agent"] != 0) & (tracks["customer"] != 0)
    assert not together.any()
    assert np.count_nonzero(tracks["agent"]) == 16_000
    assert np.count_nonzero(tracks["customer"]) == 8_000


def test_both_parties_speak_in_the_demo():
    assert {line.speaker for line in SCRIPT} == {"agent", "customer"}


def test_on_a_translated_call_parties_wait_until_they_may_have_heard_the_translation():
    spoken = [("agent", np.ones(8000, np.int16)), ("customer", np.ones(8000, np.int16))]
    tracks = lay_out(spoken, translated=True)
    said = np.flatnonzero(tracks["agent"])[-1]
    answered = np.flatnonzero(tracks["customer"])[0]
    assert answered - said > 4 * 8000


def test_the_translated_demo_is_between_spanish_and_english():
    spoken = {(line.speaker, line.language) for line in TRANSLATED_SCRIPT}
    assert spoken == {("agent", "en"), ("customer", "es")}
