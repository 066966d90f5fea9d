import numpy as np

from kallglot_site.caller.spoken import SCRIPT, lay_out


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
