"""The system's clock when the machine's wall clock is stepped."""

import datetime
import time

import pytest
import time_machine

from sessions_app.clock import SystemClock

HOUR = 3600.0


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_step_of_the_wall_clock_moves_the_epoch_and_not_the_time(step):
    clock = SystemClock()
    began, epoch = clock.time(), clock.epoch()
    stepped = datetime.datetime.fromtimestamp(time.time() + step, datetime.UTC)
    with time_machine.travel(stepped, tick=True):
        assert clock.time() - began == pytest.approx(0, abs=5)
        assert clock.epoch() - epoch == pytest.approx(step, abs=0.1)
        assert clock.epoch() + clock.time() == pytest.approx(time.time(), abs=0.1)
