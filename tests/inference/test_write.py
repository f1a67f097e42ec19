"""A store holds what compute gives, whatever interrupted its writing, and never looks whole before it is."""

import json
import subprocess
import sys
import time
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

from tests.small_models import model
from tests.support import rain
from xdownscale.errors import ResumeError
from xdownscale.inference import write
from xdownscale.inference.records import BESIDE, Records

pytest.importorskip("zarr")

MODEL = model()
TILE = (2, 4, 4)


def lazy(seed=0, members=2, scale=1.0):
    field = rain((8, 6, 6), step=15, spacing=4000.0)
    field = field.copy(data=scale * field.values).chunk(time=3)
    return field.sr.downscale(MODEL, members=members, seed=seed, tile=TILE)


@pytest.fixture(scope="module")
def whole():
    return lazy().compute()


def values(store):
    with xr.open_zarr(store, consolidated=False) as found:
        return found["rain"].load()


@pytest.mark.parametrize("shards", [False, True])
def test_a_store_holds_values_coordinates_and_attributes(tmp_path, whole, shards):
    field = lazy()
    field.sr.to_zarr(tmp_path / "e.zarr", shards=shards)
    found = values(tmp_path / "e.zarr")
    xr.testing.assert_identical(
        found.drop_encoding(), whole.assign_attrs(history=field.history).drop_encoding()
    )
    assert [each.name for each in tmp_path.iterdir()] == ["e.zarr"]


@pytest.mark.parametrize("long", [10, 10**9])
def test_a_bar_is_shown_for_large_regions_and_where_it_is_wanted(tmp_path, monkeypatch, capsys, long):
    monkeypatch.setattr("xdownscale.write.MANY", 10**9)
    monkeypatch.setattr("xdownscale.inference.bar.LONG", long)
    field = lazy()
    field.sr.to_zarr(tmp_path / "e.zarr")
    assert ("downscale: 100%" in capsys.readouterr().err) is (long == 10)
    field.sr.to_zarr(tmp_path / "e.zarr", overwrite=True, progress=True)
    assert "downscale: 100%" in capsys.readouterr().err


def test_an_unfinished_store_says_how_far_it_is(tmp_path):
    field, records = lazy(), Records(str(tmp_path / "e.zarr"))
    assert records.progress() is None
    job, regions = write.job_of(field.to_dataset()), write.regions_of("rain", field)
    records.begin(job)
    records.finish(regions[0].key, "")
    assert records.progress() == (1, len(regions))


def test_addresses_of_fsspec_and_fields_in_memory(whole):
    lazy().sr.to_zarr("memory://folder/e.zarr", resume=True)
    np.testing.assert_array_equal(values("memory://folder/e.zarr"), whole)
    whole.sr.to_zarr("memory://folder/f.zarr")
    np.testing.assert_array_equal(values("memory://folder/f.zarr"), whole)


def test_several_variables_that_share_a_task_are_drawn_once(tmp_path, whole):
    import dask.array as da

    drawn = []

    def task(block):
        drawn.append(1)
        return block

    both = da.map_blocks(
        task, da.from_array(whole.values, (2, 6, 12, 24)), meta=np.empty((0,) * 4, np.float32)
    )
    dataset = xr.Dataset({"a": (whole.dims, both + 1), "b": (whole.dims, both * 2)})
    dataset.sr.to_zarr(tmp_path / "e.zarr")
    assert len(drawn) == both.npartitions
    with xr.open_zarr(tmp_path / "e.zarr", consolidated=False) as found:
        np.testing.assert_array_equal(found["a"], whole + 1)
        np.testing.assert_array_equal(found["b"], whole * 2)


class StoppedError(Exception):
    """In place of a signal."""


def interrupted(store, monkeypatch, after):
    """Write, and stop before the record of a region is made; in one thread, so that no other finishes one meanwhile."""
    count, finish = [], Records.finish

    def some(self, key, digest):
        count.append(key)
        if len(count) > after:
            raise StoppedError
        finish(self, key, digest)

    with monkeypatch.context() as patch:
        patch.setattr(Records, "finish", some)
        with pytest.raises(StoppedError), dask.config.set(scheduler="synchronous"):
            lazy().sr.to_zarr(store)


def test_what_is_unfinished_is_opened_by_nothing_and_gone_on_with(tmp_path, whole, monkeypatch):
    store = tmp_path / "e.zarr"
    interrupted(store, monkeypatch, after=2)
    with pytest.raises((OSError, KeyError)):
        xr.open_zarr(store, consolidated=False)
    with pytest.raises(ResumeError, match="resume=True"):
        lazy().sr.to_zarr(store)
    (store / "rain" / "c" / "x.partial").write_text("half")
    written, region = [], write._write_region
    monkeypatch.setattr(write, "_write_region", lambda *a: (written.append(1), region(*a))[1])
    lazy().sr.to_zarr(store, resume=True)
    assert len(written) == 2  # of four
    np.testing.assert_array_equal(values(store), whole)
    assert not list(store.rglob("*.partial"))


def test_a_finished_region_that_was_damaged_is_written_again(tmp_path, whole, monkeypatch):
    store = tmp_path / "e.zarr"
    interrupted(store, monkeypatch, after=3)
    chunks = sorted(each for each in (store / "rain" / "c").rglob("*") if each.is_file())
    chunks[0].write_bytes(b"damaged")
    chunks[1].unlink()
    lazy().sr.to_zarr(store, resume=True)
    np.testing.assert_array_equal(values(store), whole)


def test_another_job_is_refused_with_what_differs(tmp_path, monkeypatch):
    store = tmp_path / "e.zarr"
    interrupted(store, monkeypatch, after=1)
    with pytest.raises(ResumeError, match=r"seed \[0\] there, \[1\] here"):
        lazy(seed=1).sr.to_zarr(store, resume=True)
    with pytest.raises(ResumeError, match="another plan"):
        lazy(members=3).sr.to_zarr(store, resume=True)
    with pytest.raises(ResumeError, match="another input or options"):
        lazy(scale=2.0).sr.to_zarr(store, resume=True)
    beside = Path(f"{store}{BESIDE}") / "job.json"
    job = json.loads(beside.read_text())
    beside.write_text(
        json.dumps({**job, "model": ["0" * 64], "versions": {**job["versions"], "torch": "1.0"}})
    )
    with pytest.raises(ResumeError, match=r"model .* versions"):
        lazy().sr.to_zarr(store, resume=True)
    lazy(seed=1).sr.to_zarr(store, overwrite=True)
    np.testing.assert_array_equal(values(store), lazy(seed=1).compute())
    with pytest.raises(ResumeError, match="another job"):
        lazy().sr.to_zarr(store, resume=True)


def test_a_finished_store_of_the_same_job_is_left_as_it_is(tmp_path):
    store = tmp_path / "e.zarr"
    lazy().sr.to_zarr(store, resume=True)
    before = {each: each.stat().st_mtime_ns for each in store.rglob("*")}
    lazy().sr.to_zarr(store, resume=True)
    assert {each: each.stat().st_mtime_ns for each in store.rglob("*")} == before


def test_a_folder_that_is_no_store_is_not_replaced(tmp_path):
    (tmp_path / "e.zarr").mkdir()
    (tmp_path / "e.zarr" / "notes.txt").write_text("mine")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(ResumeError):
            lazy().sr.to_zarr(tmp_path / "e.zarr", **options)
    assert (tmp_path / "e.zarr" / "notes.txt").read_text() == "mine"


PROGRAM = """
import sys, time
from pathlib import Path
import dask
from tests.inference.test_write import lazy
from xdownscale.inference.records import Records

finish = Records.finish

def once(self, key, digest):
    finish(self, key, digest)
    Path(sys.argv[2]).touch()
    time.sleep(600)

Records.finish = once
dask.config.set(num_workers=2)
lazy().sr.to_zarr(sys.argv[1], resume=True)
"""


@pytest.mark.slow
def test_killed_and_gone_on_with_gives_the_bits_of_the_whole(tmp_path, whole):
    """Twice with SIGKILL: one of two threads has finished a region, the other works or waits; there are four."""
    store, root = tmp_path / "e.zarr", Path(__file__).parents[2]
    for attempt in ("first", "second"):
        finished = tmp_path / attempt
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(store), str(finished)], cwd=root)
        deadline = time.monotonic() + 300
        while not finished.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.wait()
        assert not (store / "zarr.json").exists()
    lazy().sr.to_zarr(store, resume=True)
    np.testing.assert_array_equal(values(store), whole)
