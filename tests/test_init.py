from __future__ import annotations

import io
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest

import xdownscale


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_is_light():
    heavy = [
        "torch",
        "scipy",
        "matplotlib",
        "dask.distributed",
        "distributed",
        "xskillscore",
        "accelerate",
        "pooch",
    ]
    assert python(f"import sys, xdownscale; print([m for m in {heavy!r} if m in sys.modules])") == "[]"


def test_verbs_are_functions_whatever_was_imported_before():
    verbs = ["coarsen", "interpolate", "train", "downscale", "evaluate"]
    code = "\n".join(f"import xdownscale.{verb}" for verb in verbs)
    code += f"\nprint([type(getattr(xdownscale, verb)).__name__ for verb in {verbs!r}])"
    assert python(code) == str(["function"] * 5)


def test_every_public_name_is_there():
    for name in xdownscale.__all__:
        assert getattr(xdownscale, name) is not None
        assert name in dir(xdownscale)
    assert isinstance(xdownscale.metrics, types.ModuleType)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        xdownscale.nothing  # noqa: B018


def test_every_error_is_one_of_the_family():
    from xdownscale import errors

    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.XDownscaleError)
    assert issubclass(errors.DimensionError, ValueError)
    assert issubclass(errors.WeightsNotFoundError, LookupError)
    assert issubclass(errors.OptionalDependencyError, ImportError)


def test_the_lowest_versions_that_are_declared_are_those_that_are_tested():
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["zarr"], *extras["units"], *extras["plot"]]
    lines = (root / "constraints-lowest.txt").read_text("utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    for line in declared:
        name, lowest = line.split(">=")
        name = name.partition("[")[0]
        if name != "torch":
            found = [int(part) for part in tested[name].split(".")]
            wanted = [int(part) for part in lowest.split(".")]
            assert found[: len(wanted)] == wanted
            assert not any(found[len(wanted) :])


def test_versions(monkeypatch):
    from xdownscale import _versions

    monkeypatch.setattr(_versions, "PACKAGES", ("numpy", "no-such-package"))
    out = io.StringIO()
    xdownscale.show_versions(out)
    assert "no-such-package  not installed" in out.getvalue()
    assert "cpu" in out.getvalue()
    monkeypatch.setitem(sys.modules, "torch", None)
    assert _versions._devices() == "n/a"
