"""Options are those of the functions: every parameter has one, read as its annotation says."""

from __future__ import annotations

import inspect

import pytest

import xdownscale
from xdownscale.cli import main
from xdownscale.cli.verbs import NAMES, Verb
from xdownscale.cli.words import File, kinds_of, read_words

VERBS = [name for name in NAMES if hasattr(xdownscale, name)]


@pytest.mark.parametrize("name", VERBS)
def test_every_parameter_of_a_function_has_an_option_with_its_default_and_a_meaning(name, capsys):
    verb = Verb(name)
    asked = inspect.signature(verb.command()).parameters
    for parameter in verb.signature.parameters.values():
        if parameter.name in (verb.read, "path"):
            continue
        assert asked[parameter.name].default == parameter.default
        (marks,) = asked[parameter.name].annotation.__metadata__
        assert marks.help, parameter.name
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"--{each.replace('_', '-')}" in shown for each in asked if each not in ("input", "output"))


@pytest.mark.parametrize(
    ("annotation", "words", "value"),
    [
        ("int | tuple[int, int] | None", ["10"], 10),
        ("int | tuple[int, int] | None", ["10,5"], (10, 5)),
        ("int | tuple[int, int] | range | list[int]", ["1-25"], range(1, 26)),
        ("tuple[int, int, int] | None", ["16,96,96"], (16, 96, 96)),
        ("float | Sequence[float] | None", ["1"], 1.0),
        ("float | Sequence[float] | None", ["1", "5.5"], [1.0, 5.5]),
        (
            "Mapping[str, str] | None",
            ["y=south_north", "x=west_east"],
            {"y": "south_north", "x": "west_east"},
        ),
        ("Sequence[tuple[str, str]] | None", ["u10,v10"], [("u10", "v10")]),
        ("By", ["season"], ["season"]),
        ("By", ["lead=3"], {"lead": 3}),
        ("Errors", ["0.5"], 0.5),
        ("Errors", ["tas=0.5", "pr=1"], {"tas": 0.5, "pr": 1.0}),
        ("xr.DataArray | Mapping[str, xr.DataArray] | None", ["a.nc"], File("a.nc")),
        ("xr.DataArray | Mapping[str, xr.DataArray] | None", ["ours=a.nc"], {"ours": File("a.nc")}),
        ("float | xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset]", ["0.2"], 0.2),
        ("float | xr.DataArray | xr.Dataset | Sequence[xr.DataArray | xr.Dataset]", ["v.nc"], File("v.nc")),
        ("Predictors", ["q850", "t850"], ["q850", "t850"]),
        ("str | Recipe | PriorRecipe | None", ["small"], "small"),
    ],
)
def test_words_are_read_as_the_annotation_says(annotation, words, value):
    assert read_words(words, kinds_of(annotation)) == value


def test_predictors_are_a_file_where_there_is_one(tmp_path):
    path = tmp_path / "pressure.nc"
    path.touch()
    assert read_words([str(path)], kinds_of("Predictors")) == File(str(path), "fields")
    assert read_words([str(path)], kinds_of("str | xr.DataArray | xr.Dataset | None")) == File(str(path))
    assert read_words(["bicubic"], kinds_of("str | xr.DataArray | xr.Dataset | None")) == "bicubic"
    assert read_words(["area"], kinds_of("xr.DataArray | Literal['area'] | None")) == "area"


def test_an_annotation_that_no_word_is_known_for_is_an_error_of_the_package():
    with pytest.raises(TypeError, match=r"complex.*KINDS"):
        kinds_of("int | complex")
