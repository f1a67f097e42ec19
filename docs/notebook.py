"""The gallery's notebooks are scripts: comments after ``# %% [markdown]`` are text, the rest of the cells is code."""

from __future__ import annotations

import nbformat

_MARK, _TEXT = "# %%", "# %% [markdown]"


def reads(script: str) -> nbformat.NotebookNode:
    """Make a notebook of a script, without outputs; MyST-NB calls this for every ``.py`` page.

    Cells are numbered, so that the same script always gives the same notebook and the cache of executed notebooks
    finds it again.
    """
    cells = []
    for number, part in enumerate(("\n" + script).split(f"\n{_MARK}")[1:]):
        head, _, body = part.partition("\n")
        lines = body.strip("\n").split("\n")
        if _MARK + head == _TEXT:
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
            cells.append(nbformat.v4.new_markdown_cell(text, id=f"cell-{number}"))
        else:
            cells.append(nbformat.v4.new_code_cell("\n".join(lines), id=f"cell-{number}"))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
