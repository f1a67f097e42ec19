"""Worker processes give the bits of one machine's threads; a killed worker costs its tasks; errors name their tile."""

import os
import signal

import numpy as np
import pytest

from tests.small_models import model
from tests.support import rain
from xdownscale.errors import TileError

distributed = pytest.importorskip("distributed")
pytest.importorskip("zarr")

MODEL = model()


def lazy(members=2):
    field = rain((8, 6, 6), step=15, spacing=4000.0).chunk(time=3)
    return field.sr.downscale(MODEL, members=members, tile=(2, 4, 4))


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, resources={"GPU": 1}
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
def test_two_processes_give_the_bits_of_threads_also_where_one_is_killed(client, tmp_path):
    import dask
    import xarray as xr

    with dask.config.set(scheduler="threads"):
        wanted = lazy().compute()
    np.testing.assert_array_equal(lazy().compute(), wanted)
    with dask.annotate(resources={"GPU": 1}):
        limited = lazy()
    np.testing.assert_array_equal(client.compute(limited, optimize_graph=False).result(), wanted)
    future = client.compute(lazy(members=3))
    os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
    np.testing.assert_array_equal(future.result()[:2], wanted)
    lazy().sr.to_zarr(tmp_path / "e.zarr", resume=True)
    with xr.open_zarr(tmp_path / "e.zarr") as found:
        np.testing.assert_array_equal(found["rain"], wanted)


def test_an_error_in_a_tile_names_its_place(monkeypatch):
    broken = model()

    def fail(*args, **kwargs):
        msg = "out of luck"
        raise RuntimeError(msg)

    monkeypatch.setattr(broken.method, "latent", fail)
    field = rain((8, 6, 6), step=15, spacing=4000.0)
    for each in (field, field.chunk(time=3)):
        with pytest.raises(TileError, match=r"frames \d+ to \d+, rows .*columns .*out of luck.*tile=\("):
            each.sr.downscale(broken, members=2, tile=(2, 4, 4)).compute()
