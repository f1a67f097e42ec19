"""Pages of the pretrained models, made when the site is built: the card, a picture, and what the file says."""

from __future__ import annotations

from pathlib import Path

import xdownscale

FACTORS = {"rain-10x3": (10, 3), "rain": (8, 2)}
"""Factors of the picture of a model; any other model is drawn at its own."""

PAGE = """\
{summary}

![Coarse rain, two members, their mean and the simulated truth]({name}.png)

Simulated rain (`xdownscale.tutorial.rain`, right), its block means over {spatial} × {spatial} cells and {temporal}
steps (left), two members and the ensemble mean. The model was not trained on simulated rain.

{card}

## The model file

```text
{file}
```
"""


def write(folder: Path) -> None:
    """Write ``NAME.md`` and ``NAME.png`` for every registered model whose weights ship with the package."""
    for name in xdownscale.zoo.list():
        model = xdownscale.zoo.load(name)
        spatial, temporal = FACTORS.get(name) or (model.factors.y, model.factors.time)
        summary, heading, card = xdownscale.zoo.card(name).strip().partition("\n## ")
        text = PAGE.format(
            summary=summary.strip(),
            name=name,
            spatial=spatial,
            temporal=temporal,
            card=(heading + card).strip(),
            file=repr(model),
        )
        page, picture = folder / f"{name}.md", folder / f"{name}.png"
        if not picture.exists():
            _draw(name, spatial, temporal, picture)
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def _draw(name: str, spatial: int, temporal: int, path: Path) -> None:
    """Draw a coarse step beside two members and the truth."""
    import matplotlib as mpl

    mpl.use("agg")
    truth = xdownscale.tutorial.rain((4 * temporal, 20 * spatial, 20 * spatial), seed=1)
    coarse = truth.sr.coarsen(spatial=spatial, temporal=temporal)
    ensemble = coarse.sr.downscale(name, spatial=spatial, temporal=temporal, members=2, progress=False)
    xdownscale.plot.comparison(coarse, ensemble, truth, path=path)
