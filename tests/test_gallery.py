"""The notebooks of the gallery: scripts that run from top to bottom, and notebooks that Jupyter accepts."""

import importlib.util
import runpy
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need nbformat")

DOCS = Path(__file__).parents[1] / "docs"
SCRIPTS = sorted((DOCS / "gallery").glob("*.py"))


@pytest.fixture(scope="module")
def reads():
    spec = importlib.util.spec_from_file_location("notebook", DOCS / "notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.reads


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_a_notebook(script, reads):
    notebook = reads(script.read_text("utf-8"))
    nbformat.validate(notebook)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert kinds.count("code") >= 3
    for cell in notebook.cells:
        if cell.cell_type == "code":
            compile(cell.source, script.name, "exec")


def test_text_and_code_become_cells_in_their_order(reads):
    notebook = reads("# %% [markdown]\n# # Title\n#\n# text\n\n# %%\nimport xarray\nx = 1\n")
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        ("markdown", "# Title\n\ntext"),
        ("code", "import xarray\nx = 1"),
    ]
    assert [cell.id for cell in notebook.cells] == ["cell-0", "cell-1"]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs(script, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib").use("agg")
    if "xdownscale.correct(" in script.read_text("utf-8"):
        pytest.importorskip("xsdba", reason="bias correction needs xsdba")
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(script))
    check = CHECKS.get(script.stem)
    assert check is None or check(names, tmp_path)


def _evaluation(names, folder):
    page = folder / "report.html"
    skill = float(names["scores"].crps_ensemble_skill.sel(model="ensemble"))
    return skill > 0.1 and page.stat().st_size > 100_000 and list(folder.iterdir()) == [page]


def _shapes(names, _folder):
    better = float(names["crps"]["ensemble"].sum()) < float(names["crps"]["bicubic"].sum())
    return better and len({names[name].sha256 for name in ("plain", "shaped", "own_shapes")}) == 3


def _climate_model(names, _folder):
    crps = names["crps"]
    gained = all(
        crps[name]["corrected, downscaled"] < crps[name]["interpolated"] for name in ("uas", "vas", "tas")
    )
    return gained and crps["tas"]["with stations"] < crps["tas"]["corrected, downscaled"]


def _calibrate(names, _folder):
    lsd = names["scores"].lsd.sel(model=["calibrated", "as shipped"])
    return bool(lsd[0] < lsd[1] / 2)


CHECKS = {
    "baselines": lambda names, _: float(names["scores"].crps_ensemble_skill.sel(model="generator")) > 0.2,
    "calibrate": _calibrate,
    "climate_model": _climate_model,
    "evaluation": _evaluation,
    "large": lambda names, _: names["stopped"] and bool((names["stored"] == names["whole"]).all()),
    "shapes": _shapes,
    "temperature": lambda names, _: float(names["scores"].crps_ensemble_skill.sel(model="with height")) > 0.2,
}
"""What a notebook shows, where that is more than pictures."""
