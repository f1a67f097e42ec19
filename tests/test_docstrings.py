"""Docstrings of public objects: numpydoc's checks, and those that it has not.

Of numpydoc's checks these are left out, each for a reason:

- GL01, GL02, GL03: where quotes stand is ruff's business (pydocstyle, numpy convention);
- ES01: a summary that says all needs no second paragraph;
- SS05, SS06: summaries say what comes back ("Mean squared error"), which an imperative would say longer;
- PR06: types are named as in the field ("DataArray, dims (time, y, x)"), not as in Python's builtins;
- YD01: no generators;
- of methods and properties, SA01 and EX01: their class has both.
"""

from __future__ import annotations

import inspect
import re
from types import FunctionType

import pytest

import xdownscale

numpydoc = pytest.importorskip("numpydoc.validate")

LEFT_OUT = {"GL01", "GL02", "GL03", "ES01", "SS05", "SS06", "PR06", "YD01"}
OF_CLASSES = {"SA01", "EX01"}

MODULES = ("", "baselines", "metrics", "plot", "tutorial", "zoo")

NO_RAISES = {"xdownscale.show_versions", "xdownscale.zoo.list"}
"""Functions without arguments raise nothing."""

SOURCED = (
    "correct",
    "metrics.brier_score",
    "metrics.crps_ensemble",
    "metrics.crps_pooled",
    "metrics.energy_log_ratio",
    "metrics.energy_score",
    "metrics.fss",
    "metrics.interval_coverage",
    "metrics.minkowski_crps",
    "metrics.minkowski_distance",
    "metrics.minkowski_error",
    "metrics.minkowski_functionals",
    "metrics.pit_deviation",
    "metrics.pit_histogram",
    "metrics.pooled_pit_deviation",
    "metrics.rank_histogram",
    "metrics.reliability",
    "metrics.roc",
    "metrics.roc_area",
    "metrics.sliced_wasserstein",
    "metrics.spread_skill_ratio",
    "metrics.ssim",
    "metrics.threshold_weighted_crps",
    "metrics.variogram_score",
    "plot.gamma_curves",
    "plot.rank_histogram",
    "plot.reliability",
    "plot.shape_gradients",
    "plot.spread_skill",
    "tutorial.rain",
)
"""Functions whose formula has a source."""


def _public():
    """Public functions and classes, with the public methods of classes that the package defines."""
    for module in MODULES:
        place = getattr(xdownscale, module) if module else xdownscale
        for name in place.__all__:
            path, found = ".".join(filter(None, ("xdownscale", module, name))), getattr(place, name)
            if not callable(found) or (inspect.isclass(found) and issubclass(found, Exception)):
                continue
            yield path, found
            if inspect.isclass(found):
                for method, value in vars(found).items():
                    if not method.startswith("_") and isinstance(
                        value, (FunctionType, property, classmethod)
                    ):
                        yield f"{path}.{method}", getattr(found, method)


PUBLIC = dict(_public())
FUNCTIONS = [path for path, found in PUBLIC.items() if inspect.isfunction(found) and path.count(".") <= 2]
FUNCTIONS = [path for path in FUNCTIONS if not inspect.isclass(PUBLIC.get(path.rpartition(".")[0]))]


@pytest.mark.parametrize("path", PUBLIC)
def test_numpydoc_finds_nothing(path):
    inside = inspect.isclass(PUBLIC.get(path.rpartition(".")[0]))
    left_out = LEFT_OUT | (OF_CLASSES if inside else set())
    found = [error for error in numpydoc.validate(path)["errors"] if error[0] not in left_out]
    assert found == []


@pytest.mark.parametrize("path", sorted({*FUNCTIONS} - NO_RAISES))
def test_a_function_says_what_it_raises(path):
    names = {
        word for each in numpydoc.get_doc_object(PUBLIC[path])["Raises"] for word in each.type.split(", ")
    }
    assert names
    assert all(hasattr(xdownscale.errors, name) for name in names)


@pytest.mark.parametrize("name", SOURCED)
def test_a_formula_has_its_source(name):
    told = "\n".join(numpydoc.get_doc_object(PUBLIC[f"xdownscale.{name}"])["References"])
    assert re.search(r"doi:10\.\d{4,}/\S+|arXiv:\d{4}\.\d{5}", told)


@pytest.mark.parametrize("path", FUNCTIONS)
def test_what_is_pointed_at_is_there(path):
    for names, _ in numpydoc.get_doc_object(PUBLIC[path])["See Also"]:
        for name, _role in names:
            module, _, last = name.rpartition(".")
            place = xdownscale if module == "xdownscale" else __import__(module, fromlist=[last])
            assert hasattr(place, last), name
            assert name != path
