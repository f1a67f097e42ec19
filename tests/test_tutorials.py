"""The tutorial runs from top to bottom, as a script and in Jupyter."""

import importlib.util
import runpy
from pathlib import Path

import pytest

import xdownscale

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "examples" / "evaluation.py"
NOTEBOOK = ROOT / "docs" / "tutorials" / "evaluation.ipynb"

needs_weights = pytest.mark.skipif(
    "rain-10x3" not in xdownscale.zoo.list(), reason="the shipped weights are not at hand"
)


def test_the_notebook_is_that_of_the_script():
    spec = importlib.util.spec_from_file_location("make_notebook", ROOT / "docs" / "make_notebook.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    made = maker.notebook(SCRIPT.read_text("utf-8"))
    assert made == NOTEBOOK.read_text("utf-8"), (
        "python docs/make_notebook.py examples/evaluation.py docs/tutorials/evaluation.ipynb"
    )


@pytest.mark.slow
@needs_weights
def test_the_script_runs(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(SCRIPT))
    assert float(names["scores"].crps_ensemble_skill.sel(model="ensemble")) > 0.1
    assert names["parts"].crps_ensemble.dims == ("model", "scale", "lead", "region")
    assert (tmp_path / "report.html").stat().st_size > 100_000
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.slow
@needs_weights
def test_the_notebook_runs_in_jupyter(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="the notebook needs nbclient and ipykernel")
    pytest.importorskip("ipykernel", reason="the notebook needs nbclient and ipykernel")
    nbformat = pytest.importorskip("nbformat", reason="the notebook needs nbclient and ipykernel")
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert (tmp_path / "report.html").is_file()
    shown = {
        kind for cell in notebook.cells for out in cell.get("outputs", []) for kind in out.get("data", {})
    }
    assert {"text/html", "image/png"} <= shown
