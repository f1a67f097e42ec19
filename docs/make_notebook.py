"""Make a notebook of an example: its comments of ``# %% [markdown]`` become text, the rest cells of code.

Usage: ``python docs/make_notebook.py examples/evaluation.py docs/tutorials/evaluation.ipynb``. The same script always
gives the same file: cells are numbered, and nothing is run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_MARK, _TEXT = "# %%", "# %% [markdown]"


def notebook(script: str) -> str:
    """The JSON of a notebook."""
    cells: list[dict[str, Any]] = []
    for part in ("\n" + script).split(f"\n{_MARK}")[1:]:
        head, _, body = part.partition("\n")
        text = _MARK + head == _TEXT
        lines = [line.removesuffix("  # noqa: E402") for line in body.strip("\n").split("\n")]
        lines = [line.removeprefix("#").removeprefix(" ") for line in lines] if text else lines
        source = [f"{line}\n" for line in lines[:-1]] + lines[-1:]
        cell: dict[str, Any] = {"cell_type": "markdown" if text else "code", "id": f"cell-{len(cells)}"}
        cell |= {"metadata": {}, "source": source}
        cells.append(cell if text else cell | {"execution_count": None, "outputs": []})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(notebook(source.read_text("utf-8")), encoding="utf-8")
