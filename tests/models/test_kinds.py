"""A method that the library does not know goes through every room: factors chosen at use, tiles, model file, repr."""

from __future__ import annotations

import ast
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import xdownscale
from tests.support import rain
from xdownscale.errors import ArgumentError, ModelFileError
from xdownscale.field.factors import FactorRange, Factors
from xdownscale.kernels.resize import interpolate_cells
from xdownscale.models import kinds
from xdownscale.models.conserve import PASSES
from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler
from xdownscale.models.kinds import Kind, register
from xdownscale.models.method import Method
from xdownscale.models.transform import LogRain, Transform, transform_to_json
from xdownscale.nn.advected_noise import NoiseMaps

SUPPORTED = FactorRange(spatial=(1, 8), temporal=(1, 4))


@dataclass(frozen=True)
class SpeckleSettings:
    """Interpolation and white noise."""

    transforms: tuple[Transform, ...] = field(default_factory=lambda: (LogRain(),))
    predictors: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    styles: tuple[str, ...] = ("any",)
    default: str | None = None
    stochastic: bool = True
    conserving: bool = True

    def to_json(self):
        return {**asdict(self), "transforms": [transform_to_json(each) for each in self.transforms]}


class SpeckleWindow(NamedTuple):
    coarse: Tensor
    base: Tensor
    blocks: tuple[int, int, int]
    velocity: None = None

    def repeated(self, members):
        return self._replace(
            **{n: getattr(self, n).expand(members, -1, -1, -1, -1) for n in ("coarse", "base")}
        )

    def styled(self, style):
        return self


class Speckle(Method):
    """v = transform(interpolated field) + gain·noise, for any factors."""

    core = (4, 8, 8)
    kind = "speckle"

    def __init__(self, settings):
        super().__init__()
        self.settings = settings
        self.gain = nn.Parameter(torch.full((1,), 0.5))

    @property
    def factors(self):
        return SUPPORTED

    def described(self):
        return "interpolation and noise"

    def halo(self, blocks=None):
        return 1 + PASSES, 1 + PASSES

    def noise_maps(self, blocks=None):
        time, y, x = blocks
        return [NoiseMaps(1, (y, x), time, (0, 0))]

    def prepare(self, coarse, static=None, style=None, *, blocks=None, spans=None):
        fields = coarse.nan_to_num(0.0).unbind(2)
        base = torch.stack([interpolate_cells(each, blocks) for each in fields], dim=2)
        return SpeckleWindow(coarse, base, blocks)

    def latent(self, window, noise, *, conserve=True):
        return self.settings.transforms[0].forward(window.base) + self.gain * noise[0]


@pytest.fixture
def speckle(monkeypatch):
    monkeypatch.setattr(kinds, "KINDS", dict(kinds.KINDS))
    register("speckle", Kind(SpeckleSettings, Speckle))
    return Downscaler(
        Speckle(SpeckleSettings()).eval(),
        variables=[Variable("rain", "mm h-1", "rainfall_rate")],
        provenance=Provenance(),
        name="speckled",
    )


@pytest.mark.parametrize(("spatial", "temporal"), [(4, 3), (2, 1), ((3, 5), 2), (1, 4)])
def test_factors_are_chosen_at_use_and_block_means_are_kept(speckle, spatial, temporal):
    coarse = rain((4, 12, 12))
    fine = coarse.sr.downscale(speckle, spatial=spatial, temporal=temporal, members=2)
    factors = Factors.parse(spatial, temporal)
    assert fine.shape == (2, 4 * factors.time, 12 * factors.y, 12 * factors.x)
    back = fine.astype(float).sr.coarsen(spatial, temporal)
    np.testing.assert_allclose(back, np.broadcast_to(coarse, back.shape), rtol=1e-5, atol=1e-6)
    assert not np.array_equal(fine[0], fine[1])
    lazy = coarse.chunk(time=2, y=5).sr.downscale(speckle, spatial=spatial, temporal=temporal, members=2)
    np.testing.assert_allclose(lazy, fine, rtol=1e-4, atol=1e-5)


def test_what_is_supported_is_said_and_anything_else_refused_with_a_call_that_works(speckle):
    assert speckle.factors == SUPPORTED
    assert "1 to 8 in space, 1 to 4 in time" in repr(speckle)
    coarse = rain((2, 8, 8))
    with pytest.raises(ArgumentError, match=r"choose, as in downscale\(field, model, spatial=8\)"):
        coarse.sr.downscale(speckle)
    assert coarse.sr.downscale(speckle, spatial=8).sizes["y"] == 64
    with pytest.raises(ArgumentError, match="1 to 8 in space"):
        coarse.sr.downscale(speckle, spatial=9)
    with pytest.raises(ArgumentError, match="1 to 4 in time"):
        coarse.sr.downscale(speckle, spatial=2, temporal=5)


def test_it_is_written_and_rebuilt_from_its_document(speckle, tmp_path):
    with torch.no_grad():
        speckle.method.gain.fill_(0.25)
    again = xdownscale.load(speckle.save(tmp_path / "speckle.safetensors"))
    assert again.method.kind == "speckle"
    assert again.sha256 == speckle.sha256
    coarse = rain((2, 8, 8))
    np.testing.assert_array_equal(
        coarse.sr.downscale(again, spatial=2), coarse.sr.downscale(speckle, spatial=2)
    )


def test_an_unknown_kind_and_a_document_of_another_kind_are_refused(speckle, tmp_path, monkeypatch):
    path = speckle.save(tmp_path / "speckle.safetensors")
    monkeypatch.delitem(kinds.KINDS, "speckle")
    with pytest.raises(ModelFileError, match="speckle"):
        xdownscale.load(path)
    register("speckle", Kind(type(xdownscale.zoo.load("rain-10x3").method.settings), Speckle))
    with pytest.raises(ModelFileError, match="document of the model file"):
        xdownscale.load(path)


def test_a_name_is_given_once(speckle):
    with pytest.raises(ArgumentError, match="Give it another name"):
        register("speckle", Kind(SpeckleSettings, Speckle))


def test_one_pass_takes_no_sampler_and_no_calibration(speckle):
    coarse = rain((2, 8, 8))
    with pytest.raises(ArgumentError, match="interpolation and noise"):
        coarse.sr.downscale(speckle, spatial=2, steps=3)
    with pytest.raises(ArgumentError, match="not calibrated"):
        xdownscale.calibrate(xdownscale.tutorial.rain((6, 40, 40)), speckle)


@pytest.mark.parametrize(
    ("kind", "settings"), [("generator", {"stochastic": True}), ("median", {"stochastic": False})]
)
def test_a_median_net_is_a_kind_of_its_own_and_old_files_call_it_a_generator(kind, settings):
    found = kinds.read_settings("generator", {"blocks": [1, 2, 2], **settings})
    assert kinds.outline("generator", found).kind == kind


def test_members_of_a_field_are_refined_one_by_one(speckle):
    """Two calls after each other: daily to six-hourly to hourly, as one ensemble."""
    coarse = rain((2, 4, 4))
    first = coarse.sr.downscale(speckle, spatial=2, temporal=2, members=3)
    second = first.sr.downscale(speckle, spatial=1, temporal=3, members=2)
    assert dict(second.sizes) == {"member": 6, "time": 12, "y": 8, "x": 8}
    assert second.member.values.tolist() == [0, 1, 2, 3, 4, 5]
    back = second.astype(float).sr.coarsen(1, 3)
    np.testing.assert_allclose(back[::2], first, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(back[1::2], first, rtol=1e-5, atol=1e-6)
    draws = second.values
    assert all(not np.array_equal(draws[i], draws[j]) for i in range(6) for j in range(i))
    alone = first.isel(member=[1]).sr.downscale(speckle, spatial=1, temporal=3, members=2)
    np.testing.assert_array_equal(alone, second[2:4])


def asked_for_their_class(code):
    """Lines on which code asks whether something is a method, or the settings of one."""
    classes = {
        each for kind in kinds.KINDS.values() for each in (*kind.settings.__mro__, *kind.build.__mro__)
    }
    names = {each.__name__ for each in classes if each.__module__.startswith("xdownscale.models")}
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    asks = [
        node
        for node in calls
        if isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass")
    ]
    return [
        node.lineno
        for node in asks
        if names & {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node.args[1])}
    ]


def test_no_room_above_the_models_asks_for_the_class_of_a_method():
    assert asked_for_their_class("isinstance(x, residual.Residual)\nisinstance(x, (int, Generator))") == [
        1,
        2,
    ]
    assert asked_for_their_class("isinstance(x, Downscaler)") == []
    home = Path(xdownscale.__file__).parent
    files = [path for path in home.rglob("*.py") if path.relative_to(home).parts[0] != "models"]
    assert len(files) > 100
    found = {str(path): asked_for_their_class(path.read_text("utf-8")) for path in files}
    assert not {path: lines for path, lines in found.items() if lines}
