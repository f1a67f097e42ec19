"""Pretrained weights: a registry with sha256, files inside the package, larger ones fetched by pooch.

``registry.json`` names for every model its file, the sha256 of the file, factors, variable, scale and licence. A file
that ships with the package is read from there; any other is fetched once (``fetch.py``).
"""

from __future__ import annotations

import builtins
import json
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xdownscale.errors import ModelFileError, WeightsNotFoundError
from xdownscale.field.factors import FactorRange, Factors
from xdownscale.zoo.fetch import fetched

if TYPE_CHECKING:
    from xdownscale.models.downscaler import Downscaler
    from xdownscale.models.scale import Scale

__all__ = ["card", "find", "list", "load", "path"]

_HERE = resources.files("xdownscale.zoo")

NEAR = 1.5
"""Times the cell or the step of a model, either way, up to which it is taken for its pair rather than one for all."""


def registry() -> dict[str, dict[str, Any]]:
    """All known models by name."""
    entries: dict[str, dict[str, Any]] = json.loads((_HERE / "registry.json").read_text("utf-8"))
    return entries


class Names(builtins.list[str]):
    """Names of models, shown as a table."""

    def __repr__(self) -> str:
        """A line for each model."""
        rows = [("name", "factors", "variable", "scale", "size", "file", "licence"), *map(_row, self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def _row(name: str) -> tuple[str, ...]:
    """What a table says of a model."""
    entry = _entry(name)
    shipped = _shipped(entry)
    size = shipped.stat().st_size if shipped else entry.get("bytes")
    scale = [
        f"{_between(entry[key])} {unit}" for key, unit in (("km", "km"), ("minutes", "min")) if key in entry
    ]
    return (
        name,
        str(_factors(entry)),
        str(entry.get("variable", "n/a")),
        ", ".join(scale) or "n/a",
        "n/a" if size is None else f"{size / 2**20:.1f} MiB",
        "shipped" if shipped else "fetched",
        str(entry.get("licence", "n/a")),
    )


def _between(value: Any) -> str:
    """A number, or two with a dash."""
    return "–".join(f"{each:g}" for each in (value if isinstance(value, builtins.list) else [value]))


def list() -> Names:  # noqa: A001  (xdownscale.zoo.list() is what users type)
    """Names of all pretrained models; printed, a table of what they are for.

    Returns
    -------
    Names
        A list of str.

    See Also
    --------
    xdownscale.zoo.card : The card of a model.
    xdownscale.zoo.load : A pretrained model by name.

    Examples
    --------
    >>> import xdownscale
    >>> "rain-10x3" in xdownscale.zoo.list()
    True
    >>> print(xdownscale.zoo.list())
    name...licence...rain-10x3...(10, 3)...shipped...
    """
    return Names(sorted(registry()))


def card(name: str) -> str:
    """The model card: data, command, scores, limits.

    Parameters
    ----------
    name : str
        One of :func:`list`.

    Returns
    -------
    str
        In Markdown.

    Raises
    ------
    WeightsNotFoundError
        If there is no such model.

    See Also
    --------
    xdownscale.zoo.list : Names of all pretrained models.

    Examples
    --------
    >>> import xdownscale
    >>> xdownscale.zoo.card("rain-10x3").splitlines()[0]
    '# rain-10x3'
    """
    return (_HERE / f"{_entry(name)['card']}").read_text("utf-8")


def load(name: str | os.PathLike[str]) -> Downscaler:
    """A model by name or by path. ``xdownscale.load`` is the same function.

    Parameters
    ----------
    name : str or path
        One of :func:`list`, or a file that ``Downscaler.save`` wrote.

    Returns
    -------
    Downscaler
        The model, its weights loaded.

    Raises
    ------
    WeightsNotFoundError
        If it is neither.
    ModelFileError
        If the file is damaged.

    See Also
    --------
    xdownscale.zoo.list : Names of all pretrained models.
    xdownscale.Downscaler : A model, whose method `save` writes a file.

    Examples
    --------
    >>> import xdownscale
    >>> xdownscale.zoo.load("rain-10x3").factors
    Factors(y=10, x=10, time=3)
    """
    from xdownscale.models.downscaler import load as load_file

    if str(name) in registry():
        return load_file(path(str(name)))
    if Path(name).exists() or Path(name).suffix:
        return load_file(name)
    return load_file(path(str(name)))


def find(factors: Factors, scale: Scale | None = None) -> Downscaler:
    """The pretrained model for a pair of factors.

    One that was made for the pair is preferred where the scale is about its own; then one for all factors.

    Parameters
    ----------
    factors : Factors
        By how much a field is refined.
    scale : Scale, optional
        What is refined to, as far as it is known.

    Returns
    -------
    Downscaler
        The model, its weights loaded.

    Raises
    ------
    WeightsNotFoundError
        If there is none; the message lists what there is.

    See Also
    --------
    xdownscale.zoo.load : A pretrained model by name.

    Examples
    --------
    >>> from xdownscale.field.factors import Factors
    >>> find(Factors.parse(10, 3)).name
    'rain-10x3'
    """
    known = {name: _factors(entry) for name, entry in registry().items()}
    own = [name for name, pair in known.items() if pair == factors]
    general = general_for(factors)
    near = [name for name in own if scale is None or _near(_entry(name), scale)]
    for name in (*near, *general, *own):
        return load(name)
    offered = ", ".join(f"{pair} ({name!r})" for name, pair in known.items())
    msg = (
        f"there are no pretrained weights for {factors}; there are: {offered}. Train your own: "
        f"model = train(fine_field, spatial={factors.spatial}, temporal={factors.time}), then downscale(field, model)"
    )
    raise WeightsNotFoundError(msg)


def general_for(factors: Factors) -> builtins.list[str]:
    """Names of the pretrained models for many factors that take a pair.

    Parameters
    ----------
    factors : Factors
        By how much a field is refined.
    """
    known = {name: _factors(entry) for name, entry in registry().items()}
    return [name for name, pair in known.items() if isinstance(pair, FactorRange) and pair.holds(factors)]


def _factors(entry: dict[str, Any]) -> Factors | FactorRange:
    """What a model supports."""
    if isinstance(entry["spatial"], builtins.list):
        return FactorRange((*entry["spatial"],), (*entry["temporal"],))
    return Factors.parse(entry["spatial"], entry["temporal"])


def _near(entry: dict[str, Any], scale: Scale) -> bool:
    """Whether a scale, as far as it is known, is about that of a model."""
    pairs = ((entry.get("km"), scale.km), (entry.get("minutes"), scale.minutes))
    return all(not (own and here) or max(own / here, here / own) <= NEAR for own, here in pairs)


def _entry(name: str) -> dict[str, Any]:
    known = registry()
    if name not in known:
        msg = f"no pretrained model {name!r}, and no file of that name; there are: {', '.join(sorted(known))}"
        raise WeightsNotFoundError(msg)
    return known[name]


def path(name: str) -> Path:
    """The file of a pretrained model, fetched if it does not ship with the package, and checked against its hash.

    Parameters
    ----------
    name : str
        One of :func:`list`.

    Returns
    -------
    Path
        In the package, in the cache of pooch, or in the folder that ``XDOWNSCALE_WEIGHTS_URL`` names.

    Raises
    ------
    WeightsNotFoundError
        If there is no such model, or no address to fetch its file from.
    ModelFileError
        If the file is damaged or cannot be fetched.

    See Also
    --------
    xdownscale.zoo.load : A pretrained model by name.

    Examples
    --------
    >>> import xdownscale
    >>> xdownscale.zoo.path("rain-10x3").name
    'rain-10x3.safetensors'
    """
    import pooch

    entry = _entry(name)
    shipped = _shipped(entry)
    if shipped is None:
        return fetched(name, entry)
    if pooch.file_hash(str(shipped), alg="sha256") != entry["sha256"]:
        msg = (
            f"{str(shipped)!r} is damaged: its sha256 is not the registered one. Install xdownscale-sr again."
        )
        raise ModelFileError(msg)
    return shipped


def _shipped(entry: dict[str, Any]) -> Path | None:
    """The file of a model that lies in the package."""
    file = Path(str(_HERE / entry["file"]))
    return file if file.is_file() else None
