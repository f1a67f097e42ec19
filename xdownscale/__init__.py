"""Downscale climate fields in space and time: every DataArray and Dataset gets an ``.sr`` accessor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xdownscale import accessor as _accessor  # noqa: F401  registers .sr
from xdownscale.calibrate import calibrate
from xdownscale.coarsen import coarsen
from xdownscale.correct import correct
from xdownscale.downscale import downscale
from xdownscale.errors import XDownscaleError
from xdownscale.evaluate import evaluate
from xdownscale.interpolate import interpolate
from xdownscale.plan import plan
from xdownscale.report import report
from xdownscale.train import train
from xdownscale.tune import tune

if TYPE_CHECKING:
    from xdownscale import baselines, metrics, plot, tutorial, zoo
    from xdownscale._versions import show_versions
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.minkowski import MinkowskiLoss
    from xdownscale.models.prior_recipe import PriorRecipe
    from xdownscale.models.recipe import Recipe
    from xdownscale.zoo import load

__all__ = [
    "Downscaler",
    "MinkowskiLoss",
    "PriorRecipe",
    "Recipe",
    "XDownscaleError",
    "__version__",
    "baselines",
    "calibrate",
    "coarsen",
    "correct",
    "downscale",
    "evaluate",
    "interpolate",
    "load",
    "metrics",
    "plan",
    "plot",
    "report",
    "show_versions",
    "train",
    "tune",
    "tutorial",
    "zoo",
]

_LAZY = {
    "Downscaler": "xdownscale.models.downscaler",
    "MinkowskiLoss": "xdownscale.models.minkowski",
    "PriorRecipe": "xdownscale.models.prior_recipe",
    "Recipe": "xdownscale.models.recipe",
    "load": "xdownscale.zoo",
    "show_versions": "xdownscale._versions",
}
"""Public names that come from a module which is imported when they are asked for."""

_MODULES = ("baselines", "metrics", "plot", "tutorial", "zoo")


def __getattr__(name: str) -> Any:
    """Import what is heavy on first use (PEP 562)."""
    import importlib

    if name == "__version__":
        from xdownscale.field.attrs import package_version

        return package_version()
    if name in _MODULES:
        return importlib.import_module(f"xdownscale.{name}")
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    msg = f"module 'xdownscale' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
