"""The loop: it learns, it is reproducible, and an interrupted run ends with the same weights."""

import dataclasses
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from xdownscale.errors import TrainingError
from xdownscale.models.generator import Generator, GeneratorSettings
from xdownscale.models.median import median_recipe, median_settings
from xdownscale.models.recipe import NetworkSize, Recipe
from xdownscale.models.schedule import Schedule
from xdownscale.training.fit import _Loop, fit
from xdownscale.training.patches import PatchSampler, Source
from xdownscale.training.run import Run

SIZE = NetworkSize(maps=(2, 2, 1), width=16, encoder_blocks=1, decoder_blocks=1, stages=(16, 8, 8, 8))
RECIPE = Recipe(
    cells=4, frames=2, size=SIZE, schedule=Schedule(steps=8, batch=2, warmup=1, check=4, validation=4)
)


@pytest.fixture(scope="module")
def windows():
    random = np.random.default_rng(0)
    rain = np.maximum(random.normal(size=(12, 48, 48)), 0).astype(np.float32) * 3
    return PatchSampler([Source(rain[:, None])], blocks=(2, 4, 4), cells=4, frames=2)


def run(windows, recipe=RECIPE, checkpoint=None, median=False):
    settings = GeneratorSettings(blocks=(2, 4, 4), size=SIZE)
    if median:
        settings, recipe = median_settings(settings), median_recipe(recipe)
    torch.manual_seed(0)
    model = Generator(settings)
    return fit(model, windows, windows, recipe=recipe, run=Run((2.0,), checkpoint=checkpoint, progress=False))


def test_the_same_seed_gives_the_same_weights(windows):
    first, second = run(windows), run(windows)
    assert first.steps == 8
    for name, value in first.weights.items():
        assert torch.equal(value, second.weights[name])


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_weights(windows, tmp_path, monkeypatch):
    whole = run(windows)
    original = PatchSampler.batch

    def interrupted(self, step, size):
        if step == 6:
            raise KeyboardInterrupt
        return original(self, step, size)

    monkeypatch.setattr(PatchSampler, "batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(windows, checkpoint=tmp_path / "run.safetensors")
    monkeypatch.setattr(PatchSampler, "batch", original)
    resumed = run(windows, checkpoint=tmp_path / "run.safetensors")
    assert resumed.scores == whole.scores
    for name, value in whole.weights.items():
        assert torch.equal(value, resumed.weights[name])


def test_what_is_shown_changes_no_weight(windows, capsys, monkeypatch):
    """The time is measured on one window before the first step, and that leaves no trace."""
    quiet = run(windows)
    monkeypatch.setattr("xdownscale.training.fit._place", lambda: (0, 1))
    torch.manual_seed(0)
    model = Generator(GeneratorSettings(blocks=(2, 4, 4), size=SIZE))
    shown = fit(model, windows, windows, recipe=RECIPE, run=Run((2.0,)))
    assert all(torch.equal(shown.weights[name], value) for name, value in quiet.weights.items())
    said = capsys.readouterr().err
    assert "8 steps will take about" in said
    assert "step 1, loss" in said
    assert "train:   0%" in said
    assert "train: 100%" in said
    assert "nan" not in said


def test_a_run_that_diverges_ends_with_the_rate_that_helps(windows):
    """One infinite weight makes every gradient NaN; its message names a third of the rate."""
    torch.manual_seed(0)
    model = Generator(GeneratorSettings(blocks=(2, 4, 4), size=SIZE))
    next(model.parameters()).data.fill_(torch.inf)
    with pytest.raises(TrainingError, match=r"diverged at step 1: .*rate=0\.0005") as caught:
        fit(model, windows, None, recipe=RECIPE, run=Run((2.0,), progress=False))
    call = str(caught.value).partition("recipe=")[2]
    assert eval(call, {"dataclasses": dataclasses, "recipe": RECIPE}).schedule.rate == 0.0005


def test_training_leaves_the_threads_of_torch_alone(windows):
    before = torch.get_num_threads()
    run(windows)
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_training_lowers_the_validation_score(windows):
    longer = replace(RECIPE, schedule=replace(RECIPE.schedule, steps=60, check=10, average=0.8, rate=3e-3))
    history = run(windows, longer).history
    assert history[-1]["crps"] < 0.98 * history[0]["crps"]


def test_large_pools_waves_and_level_sets_join_late(windows):
    """Never, if that is after the end; and half of the way they are what they would be all along."""

    def learned(**weights):
        return run(windows, replace(RECIPE, weights=replace(RECIPE.weights, **weights))).weights

    never, without, late = (
        learned(late=1.1),
        learned(regional=0.0, spectral=0.0, levels=0.0),
        learned(late=0.5),
    )
    assert all(torch.equal(never[name], value) for name, value in without.items())
    assert not all(torch.equal(late[name], value) for name, value in without.items())


def test_patience_stops_a_run_that_no_longer_improves(windows):
    stuck = replace(RECIPE, schedule=replace(RECIPE.schedule, steps=40, rate=0.0, check=2, patience=2))
    assert run(windows, stuck).steps == 6


def test_a_budget_in_seconds_ends_a_run(windows):
    timed = replace(RECIPE, schedule=replace(RECIPE.schedule, steps=10**6, seconds=0.5))
    assert run(windows, timed).steps < 10**3


def test_the_median_net_needs_no_noise(windows):
    result = run(windows, median=True)
    assert result.scores["spread_skill"] == 0
    assert not any("noise" in name for name in result.weights)


def share(rank, place, results):
    """One of two processes that learn together."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=2)
    random = np.random.default_rng(0)
    rain = np.maximum(random.normal(size=(12, 48, 48)), 0).astype(np.float32) * 3
    sampler = PatchSampler([Source(rain[:, None])], blocks=(2, 4, 4), cells=4, frames=2)
    torch.save(run(sampler).weights, f"{results}{rank}")
    torch.distributed.destroy_process_group()


def interrupted_share(rank, place, results, checkpoint, kill):
    """The same with a checkpoint; killed with SIGKILL once the checkpoint of the middle is there."""
    if kill:
        save = _Loop.save

        def last(loop, path):
            save(loop, path)
            os.kill(os.getppid(), signal.SIGUSR1)
            time.sleep(60)

        _Loop.save = last
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{place}", rank=rank, world_size=2)
    random = np.random.default_rng(0)
    rain = np.maximum(random.normal(size=(12, 48, 48)), 0).astype(np.float32) * 3
    sampler = PatchSampler([Source(rain[:, None])], blocks=(2, 4, 4), cells=4, frames=2)
    torch.save(run(sampler, checkpoint=checkpoint).weights, f"{results}{rank}")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_to_the_same_weights(tmp_path):
    checkpoint, context = tmp_path / "run.safetensors", torch.multiprocessing.get_context("spawn")
    told = []
    before = signal.signal(signal.SIGUSR1, lambda *_: told.append(1))
    try:
        arguments = (tmp_path / "first", f"{tmp_path}/killed", checkpoint, True)
        processes = [context.Process(target=interrupted_share, args=(rank, *arguments)) for rank in (0, 1)]
        for each in processes:
            each.start()
        deadline = time.monotonic() + 120
        while not told:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for each in processes:
            os.kill(each.pid, signal.SIGKILL)
            each.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    torch.multiprocessing.spawn(
        interrupted_share, (tmp_path / "second", f"{tmp_path}/resumed", checkpoint, False), nprocs=2
    )
    torch.multiprocessing.spawn(share, (tmp_path / "third", f"{tmp_path}/whole"), nprocs=2)
    for rank in (0, 1):
        resumed, whole = (
            torch.load(f"{tmp_path}/{name}{rank}", weights_only=True) for name in ("resumed", "whole")
        )
        for name, value in whole.items():
            torch.testing.assert_close(resumed[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(windows, tmp_path):
    alone = run(windows).weights
    torch.multiprocessing.spawn(share, (tmp_path / "meet", f"{tmp_path}/weights"), nprocs=2)
    for rank in (0, 1):
        together = torch.load(f"{tmp_path}/weights{rank}", weights_only=True)
        for name, value in alone.items():
            torch.testing.assert_close(together[name], value, rtol=1e-2, atol=1e-3)
