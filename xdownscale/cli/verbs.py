"""The verbs: each opens its files, calls the function of the same name, and writes what comes back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import xarray as xr
from cyclopts import Parameter

import xdownscale
from xdownscale.cli import files
from xdownscale.cli.options import options_of, plain
from xdownscale.cli.words import FILES, File, read_words, shown
from xdownscale.errors import ArgumentError
from xdownscale.evaluate import scores_table
from xdownscale.field.change import fields_of
from xdownscale.write import to_zarr

NAMES: Final = (
    "coarsen",
    "interpolate",
    "train",
    "downscale",
    "evaluate",
    "calibrate",
    "report",
    "correct",
    "tune",
    "plan",
)
"""Functions of the package that are verbs, where it has them."""

_WRITTEN: Final[dict[str, tuple[str, ...]]] = {
    "Field": files.DATA,
    "xr.DataArray": files.DATA,
    "xr.Dataset": files.DATA,
    "xr.DataArray | xr.Dataset": files.DATA,
    "Downscaler": files.MODEL,
    "Recipe": files.RECIPE,
    "Path": files.PAGE,
}
"""How the name of OUT may end, by what a function returns; what is not here is printed."""

Reader: TypeAlias = Callable[[xr.Dataset, str | None, dict[str, Any]], Any]
"""What a function takes of IN, by `--variable` and the other options."""

_INPUT: Final = {"evaluate": "forecasts"}
"""The parameter that IN is, where it is not the first."""


def _flag(text: str) -> Parameter:
    """An option without a word."""
    return Parameter(help=text, negative=(), show_default=False)


_MARKS: Final = {
    "input": Parameter(name="IN", help="File to read: NetCDF, zarr, or GRIB where cfgrib is installed."),
    "output": Parameter(name="OUT", help="File to write."),
    "variable": Parameter(
        help="Name of the field, needed where the file has several.", metavar="NAME", negative=()
    ),
    "overwrite": _flag("Replace OUT if it exists."),
    "resume": _flag("Continue an OUT.zarr that was interrupted, or begin it, region by region."),
    "quiet": _flag("Print errors and warnings only."),
    "others": Parameter(
        help="More forecasts, NAME=FILE, to score on the same cases; IN goes by the name of its file.",
        converter=lambda _, tokens: read_words([token.value for token in tokens], FILES),
        metavar=shown(FILES),
        consume_multiple=True,
        negative=(),
    ),
}


@dataclass(frozen=True)
class Verb:
    """A function of the package as a command.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    """

    name: str

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        function: Callable[..., Any] = getattr(xdownscale, self.name)
        return function

    @property
    def signature(self) -> inspect.Signature:
        """Its signature."""
        return inspect.signature(self.function)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How the name of OUT may end; empty where there is none."""
        return _WRITTEN.get(str(self.signature.return_annotation), ())

    @property
    def read(self) -> str:
        """The parameter that IN is."""
        return _INPUT.get(self.name, next(iter(self.signature.parameters)))

    def command(self) -> Callable[..., str | None]:
        """A function of words, for cyclopts to read."""

        def command(*words: str, **options: Any) -> str | None:
            return self.run(words, options)

        own = [_own("input", str), *([_own("output", str)] if self.suffixes else [])]
        flags = [_own("variable", str | None, None)]
        flags += [_own("overwrite", bool, default=False)] if self.suffixes else []
        flags += [_own("resume", bool, default=False)] if self.name == "downscale" else []
        flags += [_own("others", list[str], None)] if self.name == "evaluate" else []
        given = [self.read, *(["path"] if self.suffixes == files.PAGE else [])]
        given += [each.name for each in flags]
        options = [*flags, *options_of(self.function, without=given), _own("quiet", bool, default=False)]
        required = [each for each in options if each.default is each.empty]
        asked = [*own, *required, *(each for each in options if each not in required)]
        command.__signature__ = inspect.Signature(asked)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in asked}
        command.__name__, command.__doc__ = self.name, _unwrapped(plain(_above_parameters(self.function)))
        return command

    def run(self, words: tuple[str, ...], options: dict[str, Any]) -> str | None:
        """Run the function on files.

        Parameters
        ----------
        words : tuple of str
            IN, and OUT where there is one.
        options : dict
            Options by name, as far as they were given.

        Returns
        -------
        str or None
            What to print.
        """
        source, output = words[0], words[1] if len(words) > 1 else None
        variable, quiet = options.pop("variable", None), options.pop("quiet", False)
        overwrite, resume = options.pop("overwrite", False), options.pop("resume", False)
        if output is not None:
            paths = [source, *_paths(options)]
            files.check_output(output, paths, self.suffixes, overwrite=overwrite, resume=resume)
        by_region = output is not None and files.is_zarr(output) and self._by_region(output, resume=resume)
        if quiet and "progress" in self.signature.parameters:
            options["progress"] = False
        with ExitStack() as stack:
            dataset = stack.enter_context(files.opened(source, lazy=by_region))
            same = variable or files.only_name(dataset)
            given = {name: files.fetched(value, stack, same) for name, value in options.items()}
            read: Reader = _READ.get(self.name, _fields)
            others = given.pop("others", None)
            if others:
                given[self.read] = _several(source, files.field(dataset, variable), others)
            else:
                given[self.read] = read(dataset, variable, given)
            if self.suffixes == files.PAGE:
                given["path"] = output
            if "overwrite" in self.signature.parameters:
                given["overwrite"] = overwrite
            if by_region and self.name == "downscale" and not quiet:
                self._tell_plan(given)
            result = self.function(**given)
            if output is not None and by_region:
                shown = False if quiet else options.get("progress")
                to_zarr(result, output, resume=resume and not overwrite, overwrite=overwrite, progress=shown)
            elif output is not None:
                self._write(result, output)
        return None if quiet else self._told(result, output)

    def _tell_plan(self, given: Mapping[str, Any]) -> None:
        """Say what long work will take."""
        import sys

        known = inspect.signature(xdownscale.plan).parameters
        told: object = xdownscale.plan(**{name: value for name, value in given.items() if name in known})
        print(told, file=sys.stderr)

    def _by_region(self, output: str, *, resume: bool) -> bool:
        """Whether a store is written region by region, so that ``--resume`` can continue it.

        A finished store that is replaced stays until the new one is complete, which is then written whole.
        """
        begins = self.name == "downscale" and not Path(output).exists()
        return resume or begins or bool(files.unfinished(output))

    def _write(self, result: Any, output: str) -> None:
        """Write what came back."""
        if self.suffixes == files.MODEL:
            result.save(output)
        elif self.suffixes == files.RECIPE:
            files.write_recipe(result, output)
        elif self.suffixes == files.DATA:
            files.write(result, output)

    def _told(self, result: Any, output: str | None) -> str:
        """What is printed: scores as a table, what is no data as its text, and where the rest is."""
        if output is None:
            return str(result)
        table = f"{scores_table(result)}\n" if self.name == "evaluate" else ""
        return f"{table}wrote {output}"


def _own(name: str, hint: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    """A parameter that commands have and functions do not."""
    place = name in ("input", "output")
    kind = inspect.Parameter.POSITIONAL_ONLY if place else inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=Annotated[hint, _MARKS[name]])


def _above_parameters(function: Callable[..., Any]) -> str:
    """What a docstring says before its sections."""
    return inspect.cleandoc(function.__doc__ or "").partition("\nParameters\n")[0]


def _several(source: str, field: xr.DataArray, others: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """Forecasts by name, with IN by the name of its file."""
    name = Path(source).stem
    if name in others:
        msg = f"--others {name}=...: IN, {source}, has this name already. Give the other one another name."
        raise ArgumentError(msg)
    return {name: field, **others}


def _unwrapped(text: str) -> str:
    """Paragraphs of a line each, for the terminal to wrap."""
    return "\n\n".join(" ".join(each.split()) for each in text.split("\n\n"))


def _paths(options: Mapping[str, Any]) -> list[str]:
    """What is read besides IN: files, and a model that may be one."""
    values = [each for value in options.values() for each in _flat(value)]
    return [each.path if isinstance(each, File) else each for each in values if isinstance(each, (File, str))]


def _flat(value: Any) -> list[Any]:
    """A value, or those of a mapping or list."""
    return [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else [value]


def _fields(dataset: xr.Dataset, variable: str | None, _: Mapping[str, Any]) -> xr.DataArray | xr.Dataset:
    """The one field, or the Dataset of several."""
    return files.one_or_all(dataset, variable)


def _dataset(dataset: xr.Dataset, variable: str | None, _: Mapping[str, Any]) -> xr.Dataset:
    """All of a file, or one variable with its grid."""
    return files.chosen(dataset, variable)


def _refined(dataset: xr.Dataset, variable: str | None, given: Mapping[str, Any]) -> Any:
    """One field, or all that a model of several may refine."""
    several = given.get("model") is not None and len(fields_of(dataset, None)) > 1
    return dataset if several and variable is None else files.field(dataset, variable)


def _learned(dataset: xr.Dataset, variable: str | None, given: dict[str, Any]) -> Any:
    """One field, or the Dataset where targets or predictors are named; the variable is then the target."""
    named = isinstance(given.get("predictors"), list)
    if not (named or given.get("targets")):
        return files.field(dataset, variable, several=", or --targets NAME ... for several at once")
    if variable is not None and not given.get("targets"):
        given["targets"] = [variable]
    return dataset


def _scores(dataset: xr.Dataset, _variable: str | None, _: Mapping[str, Any]) -> xr.Dataset:
    """All of a file of scores."""
    names = [*map(str, fields_of(dataset, None))]
    if names and "evaluation" not in dataset.attrs:
        source = dataset.encoding.get("source", "IN")
        msg = (
            f"{source!r} has the fields {names}, not scores. Score them first: xdownscale evaluate {source} scores.nc "
            f"--observations truth.nc"
        )
        raise ArgumentError(msg)
    return dataset


_READ: Final[dict[str, Reader]] = {
    "coarsen": _dataset,
    "interpolate": _dataset,
    "train": _learned,
    "tune": _learned,
    "downscale": _refined,
    "plan": _refined,
    "report": _scores,
}
"""What a verb takes of IN, where it is not the one field or the Dataset of several."""
