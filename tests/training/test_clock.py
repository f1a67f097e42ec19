"""The clock of a run: read at every step, so that a budget is kept whatever a step takes."""

import pytest

from xdownscale.models.schedule import Schedule
from xdownscale.training import clock as module
from xdownscale.training.clock import Clock, in_words


@pytest.fixture
def time(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def run(time, schedule, takes, validation=0.0):
    """Steps that a run takes, and the time at its end."""
    watch, step = Clock(schedule, validation=validation), 0
    while step < schedule.steps and watch.share(step) < 1:
        time[0] += takes
        watch.stepped()
        step += 1
    return step, watch


@pytest.mark.parametrize("takes", [2**-6, 0.25, 3.0, 7.0, 40.0])
@pytest.mark.parametrize("validation", [0.0, 0.5])
def test_no_step_ends_after_the_budget_but_the_first(time, takes, validation):
    schedule = Schedule(steps=10**6, seconds=30.0)
    step, watch = run(time, schedule, takes, validation)
    assert step == max(1, int((30.0 - validation * takes + 1e-6) / takes))
    assert step == 1 or watch.elapsed + watch.judging <= 30.0 + 1e-6


def test_without_a_budget_only_steps_count(time):
    step, watch = run(time, Schedule(steps=7), 1e6)
    assert step == 7
    assert watch.share(7) == 1


def test_time_left_is_steps_and_validations(time):
    watch = Clock(Schedule(steps=100, check=20), validation=2.0)
    time[0] += 3
    watch.stepped()
    assert watch.left(1) == pytest.approx(99 * 3 + 5 * 6)
    time[0] += 8
    watch.judged()
    assert watch.left(1) == pytest.approx(99 * 3 + 5 * 8)
    assert watch.left(100) == 0


def test_time_left_is_never_more_than_the_budget(time):
    watch = Clock(Schedule(steps=10**6, seconds=20.0))
    time[0] += 3
    watch.stepped()
    assert watch.left(1) == pytest.approx(17)


def test_a_resumed_run_has_spent_its_time(time):
    assert Clock(Schedule(seconds=20.0), elapsed=15.0).share(5) == pytest.approx(0.75)


def test_other_work_is_no_part_of_a_step(time):
    watch = Clock(Schedule())
    time[0] += 50
    watch.mark()
    time[0] += 2
    watch.stepped()
    assert watch.step == pytest.approx(2)


def test_times_in_words():
    assert [in_words(s) for s in (0, 1.4, 89, 90, 5399, 5400)] == [
        "1 second", "1 second", "89 seconds", "2 minutes", "90 minutes", "1.5 hours",
    ]  # fmt: skip
