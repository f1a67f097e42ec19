"""The verbs in a shell: ``xdownscale coarsen IN OUT --spatial 10``.

Files are written whole or not at all, never over what is read, and over another file only with ``--overwrite``.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from xdownscale.errors import DimensionError, FileError, OptionalDependencyError, XDownscaleError
from xdownscale.field.change import field_of, only_field
from xdownscale.io import check_place, write_store, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xdownscale.models.downscaler import Downscaler

_NETCDF = ("", ".nc", ".nc4", ".cdf", ".netcdf")
_ZARR, _MODEL = ".zarr", ".safetensors"
"""How names of files end."""

_UNREADABLE = (
    AttributeError,
    EOFError,
    ImportError,
    KeyError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What readers of files raise, each for reasons of its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb on files.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; those of the process by default.

    Returns
    -------
    int
        0 for success, 1 for an error that the user can mend, 2 for words that are not understood.

    Examples
    --------
    >>> main(["coarsen", "no_such_file.nc", "coarse.nc"])
    1
    """
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], str] = options.run
    try:
        if "output" in options:
            _check_output(options)
        said = run(options)
    except (XDownscaleError, OSError) as error:
        print(f"xdownscale {options.verb}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(said)
    return 0


def _parser() -> argparse.ArgumentParser:
    """The words that each verb understands."""
    parser = argparse.ArgumentParser(
        prog="xdownscale", description="Make climate fields finer in space and time."
    )
    parser.add_argument("--version", action="version", version=_version())
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    coarsen = _verb(verbs, "coarsen", _coarsen, "average over blocks of cells and steps")
    coarsen.add_argument("--time-method", default="auto", choices=("auto", "mean", "sum", "point"))
    coarsen.add_argument(
        "--min-valid", type=float, default=1.0, help="valid share below which a cell is missing"
    )
    coarsen.add_argument("--boundary", default="exact", choices=("exact", "trim", "pad"))
    interpolate = _verb(verbs, "interpolate", _interpolate, "refine by interpolation")
    interpolate.add_argument(
        "--method", default="bicubic", choices=("bicubic", "linear", "nearest", "conservative")
    )
    train = _verb(verbs, "train", _train, "learn from a fine field; OUT is a .safetensors file")
    train.add_argument("--recipe", help="standard or small")
    train.add_argument("--steps", type=int, help="optimiser steps, instead of the recipe's")
    downscale = _verb(verbs, "downscale", _downscale, "draw an ensemble of fine fields", factor=None)
    downscale.add_argument("--model", help="model file or zoo name; by default the zoo's for these factors")
    downscale.add_argument("--members", type=int, default=1)
    downscale.add_argument("--sampler", help="of a diffused residual")
    downscale.add_argument("--steps", type=int, help="of the sampler, instead of its default")
    for verb in (coarsen, interpolate, downscale):
        verb.add_argument("--gaps", default="error", choices=("error", "split"), help="in time")
    for verb in (train, downscale):
        verb.add_argument("--seed", type=int, default=0)
        verb.add_argument("--device", default="auto")
    evaluate = _verb(verbs, "evaluate", _evaluate, "score an ensemble; OUT holds the scores", factor=False)
    evaluate.add_argument("--observations", required=True, help="NetCDF file with what happened")
    evaluate.add_argument("--metrics", nargs="+", help="names of scores; all by default")
    evaluate.add_argument("--member-dim", default="member", metavar="NAME", help="dimension of the members")
    zoo = verbs.add_parser("zoo", help="list pretrained weights")
    zoo.set_defaults(run=_zoo)
    return parser


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], str],
    text: str,
    *,
    factor: int | bool | None = 1,
) -> argparse.ArgumentParser:
    """A verb with its files, variable, dimensions and, unless `factor` is False, factors."""
    verb = verbs.add_parser(name, help=text, description=text)
    verb.set_defaults(run=run)
    verb.add_argument("input", metavar="IN", help="file to read")
    verb.add_argument(
        "output", metavar="OUT", help="file to write; a name that ends in .zarr makes a zarr store"
    )
    verb.add_argument("--overwrite", action="store_true", help="replace OUT if it is there")
    verb.add_argument("--variable", help="needed where the file has several fields")
    if factor is not False:
        verb.add_argument(
            "--dims", nargs="+", default=[], metavar="ROLE=NAME", help="for example y=south_north"
        )
        verb.add_argument("--spatial", type=_pair, default=factor, metavar="S or SY,SX")
        verb.add_argument("--temporal", type=int, default=factor, metavar="T")
    return verb


def _coarsen(options: argparse.Namespace) -> str:
    from xdownscale.coarsen import coarsen

    with _opened(options.input) as dataset:
        result = coarsen(
            _chosen(dataset, options.variable),
            options.spatial,
            options.temporal,
            time_method=options.time_method,
            min_valid=options.min_valid,
            boundary=options.boundary,
            gaps=options.gaps,
            dims=_dims(options.dims),
        )
        return _write(result, options.output)


def _interpolate(options: argparse.Namespace) -> str:
    from xdownscale.interpolate import interpolate

    with _opened(options.input) as dataset:
        field = _chosen(dataset, options.variable)
        result = interpolate(
            field,
            options.spatial,
            options.temporal,
            method=options.method,
            gaps=options.gaps,
            dims=_dims(options.dims),
        )
        return _write(result, options.output)


def _train(options: argparse.Namespace) -> str:
    from xdownscale.train import train

    with _opened(options.input) as dataset:
        model: Downscaler = train(
            _field(dataset, options.variable),
            options.spatial,
            options.temporal,
            recipe=options.recipe,
            steps=options.steps,
            seed=options.seed,
            device=options.device,
            dims=_dims(options.dims),
        )
    model.save(options.output)
    return f"wrote {options.output}"


def _downscale(options: argparse.Namespace) -> str:
    from xdownscale.downscale import downscale

    with _opened(options.input) as dataset:
        result = downscale(
            _field(dataset, options.variable),
            options.model,
            spatial=options.spatial,
            temporal=options.temporal,
            members=options.members,
            sampler=options.sampler,
            steps=options.steps,
            gaps=options.gaps,
            seed=options.seed,
            device=options.device,
            dims=_dims(options.dims),
        )
        return _write(result.to_dataset(name="field" if result.name is None else result.name), options.output)


def _evaluate(options: argparse.Namespace) -> str:
    from xdownscale.evaluate import evaluate, scores_table

    with _opened(options.input) as forecasts, _opened(options.observations) as observations:
        scores = evaluate(
            _field(forecasts, options.variable),
            _field(observations, options.variable),
            metrics=options.metrics,
            member_dim=options.member_dim,
        )
        return f"{scores_table(scores)}\n{_write(scores, options.output)}"


def _zoo(options: argparse.Namespace) -> str:
    from xdownscale import zoo

    return "\n".join(map(str, zoo.list())) or f"xdownscale {options.verb}: no weights are installed"


def _chosen(dataset: xr.Dataset, variable: str | None) -> xr.Dataset:
    """The dataset, or one variable of it with its coordinates and grid."""
    if variable is None:
        return dataset
    if variable not in dataset.data_vars:
        msg = f"no variable {variable!r}; the file has {_names(dataset)}. Pass --variable NAME."
        raise DimensionError(msg)
    sources = (variable, *dataset[variable].coords)
    related = {dataset[name].attrs.get(key) for name in sources for key in ("bounds", "grid_mapping")}
    return dataset[[variable, *(name for name in dataset.data_vars if name in related)]]


def _field(dataset: xr.Dataset, variable: str | None) -> xr.DataArray:
    """The variable that was named, or the only one with y and x."""
    return only_field(dataset) if variable is None else field_of(_chosen(dataset, variable), variable)


def _names(dataset: xr.Dataset) -> list[str]:
    """Names of variables for a message."""
    return [str(name) for name in dataset.data_vars]


def _dims(words: Sequence[str]) -> dict[str, str] | None:
    """``y=south_north`` as a mapping."""
    pairs = [word.partition("=")[::2] for word in words]
    if any(not name for _, name in pairs):
        msg = (
            f"--dims takes ROLE=NAME, got {list(words)}. Write for example --dims y=south_north x=west_east."
        )
        raise DimensionError(msg)
    return dict(pairs) or None


def _pair(word: str) -> int | tuple[int, int]:
    """``10`` or ``10,5``."""
    first, comma, second = word.partition(",")
    return (int(first), int(second)) if comma else int(first)


def _check_output(options: argparse.Namespace) -> None:
    """Raise before any work if OUT is what is read, is there already, or cannot be written."""
    out = Path(options.output)
    given = [getattr(options, name, None) for name in ("input", "observations", "model")]
    for source in (Path(each) for each in given if each):
        if source.exists() and _touches(out, source):
            msg = f"{options.output!r} is what is read, and is never overwritten. Give OUT another name."
            raise FileError(msg)
    known = ("", _MODEL) if options.verb == "train" else (*_NETCDF, _ZARR)
    if out.suffix.lower() not in known:
        msg = f"{options.output!r}: what is written has a name that ends in {' or '.join(known[1:])}"
        raise FileError(msg)
    if out.exists() and not options.overwrite:
        msg = (
            f"{options.output!r} is there already. Give OUT another name, or pass --overwrite to replace it."
        )
        raise FileError(msg)
    check_place(out, store=_is_zarr(out))
    if _is_zarr(out) and importlib.util.find_spec("zarr") is None:
        msg = f"{options.output!r} would be a zarr store, and zarr is not installed: pip install 'xdownscale-sr[zarr]'"
        raise OptionalDependencyError(msg)


def _touches(out: Path, source: Path) -> bool:
    """Whether writing one would change the other: the same file by any name, or a store and something in it."""
    if out.exists() and out.samefile(source):
        return True
    there, here = out.resolve(), source.resolve()
    return there.is_relative_to(here) or here.is_relative_to(there)


def _is_zarr(out: Path) -> bool:
    """Whether a name is that of a zarr store."""
    return out.suffix.lower() == _ZARR


@contextmanager
def _opened(path: str) -> Iterator[xr.Dataset]:
    """A file with its values decoded."""
    try:
        dataset = xr.open_dataset(path)
    except _UNREADABLE as cause:
        raise FileError(_unreadable(path, cause)) from cause
    with dataset:
        try:
            yield dataset
        except RuntimeError as cause:
            if not str(cause).startswith("NetCDF:"):
                raise
            raise FileError(_unreadable(path, cause)) from cause


def _unreadable(path: str, cause: Exception) -> str:
    if isinstance(cause, FileNotFoundError):
        return f"there is no file {path!r}"
    first = (str(cause).splitlines() or [type(cause).__name__])[0]
    return (
        f"{path!r} cannot be read ({first}). Files are NetCDF or zarr with CF times, or GRIB where cfgrib is installed "
        "(pip install cfgrib). Convert others first, or open them in Python and call the function of the same name."
    )


def _write(result: xr.Dataset, output: str) -> str:
    """Write a NetCDF file, or a zarr store, whole or not at all."""
    try:
        if _is_zarr(Path(output)):
            write_store(output, result.to_zarr)
        else:
            write_whole(output, result.to_netcdf)
    except (RuntimeError, TypeError, ValueError) as cause:
        if isinstance(cause, XDownscaleError):
            raise
        msg = f"{output!r} could not be written ({cause})"
        raise FileError(msg) from cause
    return f"wrote {output}"


def _version() -> str:
    """Name and version."""
    from xdownscale.field.attrs import package_version

    return f"xdownscale {package_version()}"
