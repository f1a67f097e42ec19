"""Files of the command line: read as options ask, written whole or not at all, never over an input."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import xarray as xr

from xdownscale.cli.words import File
from xdownscale.errors import DimensionError, FileError, OptionalDependencyError, XDownscaleError
from xdownscale.field.change import field_of, fields_of, only_field
from xdownscale.inference.records import Records
from xdownscale.io import check_place, write_store, write_whole

if TYPE_CHECKING:
    from xdownscale.models.recipe import Recipe

ZARR: Final = ".zarr"
DATA: Final = (".nc", ".nc4", ".cdf", ".netcdf", ZARR)
MODEL: Final = (".safetensors",)
RECIPE: Final = (".json",)
PAGE: Final = (".html", ".htm")
GRIB: Final = (".grib", ".grib2", ".grb", ".grb2")
"""How names of files end."""

_UNREADABLE: Final = (
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


@contextmanager
def opened(path: str, *, lazy: bool = False) -> Iterator[xr.Dataset]:
    """A file with its values decoded.

    Parameters
    ----------
    path : str
        NetCDF, zarr, or what else the installed engines of xarray read, such as GRIB.
    lazy : bool
        Whether in chunks of dask.

    Raises
    ------
    FileError
        If it cannot be read, now or while its values are.
    """
    try:
        dataset = xr.open_dataset(path, chunks={} if lazy else None, **_engine(path))
    except _UNREADABLE as cause:
        raise FileError(_unreadable(path, cause)) from cause
    with dataset:
        try:
            yield dataset
        except RuntimeError as cause:
            if not str(cause).startswith("NetCDF:"):
                raise
            raise FileError(_unreadable(path, cause)) from cause


def _engine(path: str) -> dict[str, Any]:
    """Arguments for GRIB, whose engine would otherwise leave an index beside the file."""
    grib = Path(path).suffix.lower() in GRIB and importlib.util.find_spec("cfgrib") is not None
    return {"engine": "cfgrib", "backend_kwargs": {"indexpath": ""}} if grib else {}


def _unreadable(path: str, cause: Exception) -> str:
    if left := unfinished(path):
        return f"{left}. The command that began it continues it: xdownscale downscale IN {path} ... --resume"
    if isinstance(cause, FileNotFoundError):
        return f"there is no file {path!r}"
    if Path(path).is_dir() and not is_zarr(path):
        return f"{path!r} is a folder. Name a file, or a zarr store, which is a folder that ends in {ZARR}."
    first = (str(cause).splitlines() or [type(cause).__name__])[0]
    if first.startswith("did not find a match"):  # what follows is advice on Python
        first = "no known format"
    return (
        f"{path!r} cannot be read ({first}). Files are NetCDF or zarr with CF times, or GRIB where cfgrib is installed "
        "(pip install cfgrib). Convert others first, or open them in Python and call the function of the same name."
    )


def unfinished(path: str) -> str:
    """Describe a zarr store that an interrupted command has left; empty for any other path."""
    found = Records(os.path.abspath(path)).progress() if is_zarr(path) else None  # noqa: PTH100
    return f"{path!r} is unfinished: it has {found[0]} of its {found[1]} regions" if found else ""


def fetched(value: Any, stack: ExitStack, variable: str | None) -> Any:
    """An option with its files opened, as long as the stack is.

    Parameters
    ----------
    value : any
        What an option was read as; a :class:`~xdownscale.cli.words.File`, or a mapping or list of them.
    stack : ExitStack
        Closes the files.
    variable : str or None
        Name of the field, taken where the file has it.
    """
    if isinstance(value, dict):
        return {name: fetched(each, stack, variable) for name, each in value.items()}
    if isinstance(value, list):
        return [fetched(each, stack, variable) for each in value]
    return _read(value, stack, variable) if isinstance(value, File) else value


def _read(value: File, stack: ExitStack, variable: str | None) -> Any:
    """What an option takes of a file."""
    if value.holds == "recipe":
        return read_recipe(value.path)
    dataset = stack.enter_context(opened(value.path))
    if value.holds == "dataset":
        return dataset
    if value.holds == "fields":
        return dataset[list(fields_of(dataset, None))]
    return one_or_all(dataset, variable if variable in dataset.data_vars else None)


def read_recipe(path: str) -> Recipe:
    """A recipe that ``xdownscale tune`` wrote.

    Parameters
    ----------
    path : str
        A file of JSON.

    Raises
    ------
    FileError, ModelFileError
        If it cannot be read, or says something else.
    """
    from xdownscale.models.recipe import Recipe
    from xdownscale.models.schema import parsed

    try:
        told = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as cause:
        msg = f"{path!r} holds no recipe ({cause}). Pass a name, or a file that xdownscale tune wrote."
        raise FileError(msg) from cause
    return parsed(Recipe, told, "recipe")


def write_recipe(recipe: Recipe, output: str) -> None:
    """Write a recipe as JSON, whole or not at all.

    Parameters
    ----------
    recipe : Recipe
        What ``tune`` found.
    output : str
        Where to.
    """
    text = json.dumps(recipe.to_json(), indent=1)
    write_whole(output, lambda draft: draft.write_text(text, "utf-8"))


def only_name(dataset: xr.Dataset) -> str | None:
    """The name of the only field, which is looked for in other files; None if there are several."""
    names = [*map(str, fields_of(dataset, None))]
    return names[0] if len(names) == 1 else None


def one_or_all(dataset: xr.Dataset, variable: str | None) -> xr.DataArray | xr.Dataset:
    """The variable that is asked for, else the only field, else the Dataset of all."""
    if variable is None and len(fields_of(dataset, None)) > 1:
        return dataset
    return field(dataset, variable)


def field(dataset: xr.Dataset, variable: str | None, *, several: str = "") -> xr.DataArray:
    """The variable that is asked for, or the only one with y and x."""
    if variable is not None:
        return field_of(chosen(dataset, variable), variable)
    names = [*map(str, fields_of(dataset, None))]
    if len(names) > 1:
        msg = f"the file has the fields {names}, and one is wanted. Pass --variable NAME{several}."
        raise DimensionError(msg)
    return only_field(dataset)


def chosen(dataset: xr.Dataset, variable: str | None) -> xr.Dataset:
    """The Dataset, or one variable of it with its bounds and grid mapping."""
    if variable is None:
        return dataset
    if variable not in dataset.data_vars:
        names = [str(name) for name in dataset.data_vars]
        msg = f"no variable {variable!r}; the file has {names}. Pass --variable NAME."
        raise DimensionError(msg)
    sources = (variable, *dataset[variable].coords)
    related = {dataset[name].attrs.get(key) for name in sources for key in ("bounds", "grid_mapping")}
    return dataset[[variable, *(name for name in dataset.data_vars if name in related)]]


def check_output(
    output: str, sources: Sequence[str], suffixes: Sequence[str], *, overwrite: bool, resume: bool
) -> None:
    """Raise before any work if OUT is what is read, is there already, or cannot be written.

    Parameters
    ----------
    output : str
        Where to write.
    sources : sequence of str
        Paths that are read; those that are none are passed over.
    suffixes : sequence of str
        How its name may end; without an ending it is the first of them.
    overwrite, resume : bool
        Whether it may be replaced, or gone on with.

    Raises
    ------
    FileError, OptionalDependencyError
    """
    out = Path(output)
    for source in map(Path, sources):
        if source.exists() and _touches(out, source):
            msg = f"{output!r} is an input, and inputs are never overwritten. Give OUT another name."
            raise FileError(msg)
    if out.suffix.lower() not in ("", *suffixes):
        msg = f"{output!r} is no name for this output: give OUT a name that ends in {' or '.join(suffixes)}"
        raise FileError(msg)
    if resume and not is_zarr(out):
        msg = f"{output!r} cannot be resumed: --resume writes a zarr store. Let the name end in {ZARR}."
        raise FileError(msg)
    left = unfinished(output)
    if left and not (overwrite or resume):
        msg = f"{left}. Pass --resume to continue the same command, or --overwrite to start again."
        raise FileError(msg)
    if out.exists() and not overwrite and not resume:
        msg = f"{output!r} exists. Give OUT another name, or pass --overwrite to replace it."
        raise FileError(msg)
    if not (left or (resume and out.exists())):
        check_place(out, store=is_zarr(out))
    if is_zarr(out) and importlib.util.find_spec("zarr") is None:
        msg = (
            f"{output!r} would be a zarr store, and zarr is not installed: pip install 'xdownscale-sr[zarr]'"
        )
        raise OptionalDependencyError(msg)


def _touches(out: Path, source: Path) -> bool:
    """Whether writing one would change the other: the same file by any name, or a store and something in it."""
    if out.exists() and out.samefile(source):
        return True
    there, here = out.resolve(), source.resolve()
    return there.is_relative_to(here) or here.is_relative_to(there)


def is_zarr(out: str | Path) -> bool:
    """Whether a name is that of a zarr store."""
    return Path(out).suffix.lower() == ZARR


def write(result: xr.DataArray | xr.Dataset, output: str) -> None:
    """Write a NetCDF file, or a zarr store, whole or not at all.

    Parameters
    ----------
    result : DataArray or Dataset
        A DataArray without a name is called "field".
    output : str
        The name tells the format.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    dataset = as_dataset(result)
    writers: tuple[Callable[..., Any], Callable[..., Any]] = (
        (write_store, dataset.to_zarr) if is_zarr(output) else (write_whole, dataset.to_netcdf)
    )
    try:
        writers[0](output, writers[1])
    except (RuntimeError, TypeError, ValueError) as cause:
        if isinstance(cause, XDownscaleError):
            raise
        msg = f"{output!r} could not be written ({cause})"
        raise FileError(msg) from cause


def as_dataset(result: xr.DataArray | xr.Dataset) -> xr.Dataset:
    """A result with a name for its variable."""
    if isinstance(result, xr.DataArray):
        return result.to_dataset(name="field" if result.name is None else result.name)
    return result
