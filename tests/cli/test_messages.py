"""Errors of the library on the command line: the remedy is an option, and the command with it works."""

import inspect
import re
import shlex

import pytest
import xarray as xr

import xdownscale
from tests.support import rain
from xdownscale.cli import main
from xdownscale.cli.messages import in_shell
from xdownscale.cli.verbs import NAMES, Verb

TOLD = [
    ("coarsen", "pass boundary='trim' (drops the last 5)", "pass --boundary trim (drops the last 5)"),
    ("coarsen", "min_valid is a share. Pass min_valid=0.5.", "--min-valid is a share. Pass --min-valid 0.5."),
    ("coarsen", "or time_method= in coarsen.", "or --time-method in coarsen."),
    (
        "coarsen",
        'Pass dims={"y": "lat", "x": ...}, spatial=(10, 5)',
        "Pass --dims y=lat x=NAME, --spatial 10,5",
    ),
    ("downscale", "pass overwrite=True or resume=True", "pass --overwrite or --resume"),
    ("downscale", "downscale(model=...), or tile=(16, 96, 96)", "--model NAME, or --tile 16,96,96"),
    (
        "downscale",
        "model = train(fine, spatial=10), then downscale(field, model)",
        "xdownscale train fine.nc OUT --spatial 10, then xdownscale downscale field.nc OUT --model NAME",
    ),
    ("downscale", "score it with xdownscale.evaluate.", "score it with xdownscale evaluate."),
    ("downscale", "a name of zoo.list().", "a name of xdownscale zoo list."),
    (
        "evaluate",
        "evaluate(truth, ensemble); swap them",
        "xdownscale evaluate ensemble.nc OUT --observations truth.nc; swap them",
    ),
    ("evaluate", "evaluate(..., thresholds=[0.1, 1, 10])", "--thresholds 0.1 1 10"),
    (
        "evaluate",
        'evaluate(observations["a"], forecasts["b"])',
        "xdownscale evaluate forecasts.nc OUT --variable b --observations observations.nc",
    ),
    (
        "evaluate",
        'evaluate(observations, {"net": ensemble}, ...)',
        "xdownscale evaluate IN OUT --others net=ensemble.nc --observations observations.nc",
    ),
    (
        "evaluate",
        "forecasts.sr.coarsen(10, temporal=3)",
        "xdownscale coarsen forecasts.nc OUT --spatial 10 --temporal 3",
    ),
    (
        "evaluate",
        "one of its variables, as in dataset[name].",
        "one of its variables, as in --variable NAME.",
    ),
    ("train", "train(field, spatial=range(2, 11))", "xdownscale train field.nc OUT --spatial 2-10"),
    ("train", "validation=held_out or progress=False", "--validation held_out.nc or --no-progress"),
    ("train", 'vectors=[("u10", "v10")]', "--vectors u10,v10"),
    ("info", "pathlib.Path('/a b').mkdir(parents=True)", "mkdir -p '/a b'"),
]
KEPT = [
    ("coarsen", "field.isel(time=slice(0, 50)), field.assign_attrs(units='K')"),
    ("interpolate", 'like.sel(time=result.time, method="nearest")'),
    ("train", "recipe=xdownscale.PriorRecipe(linear=False), dims={'y'"),
    ("train", "train([first, second]), train(fine, unknown=3)"),
    ("downscale", "'/data/members=3/a.nc' and 'my steps=3.nc' and units='K' and the field's time"),
    ("downscale", "an unclosed downscale(spatial=3 and evaluate(1 +)"),
    ("info", "overwrite=True"),
]


@pytest.mark.parametrize(("verb", "message", "told"), TOLD)
def test_an_argument_is_an_option_and_a_call_a_command(verb, message, told):
    assert in_shell(message, verb) == told


@pytest.mark.parametrize(("verb", "message"), KEPT)
def test_what_a_shell_cannot_say_stays_as_it_is(verb, message):
    assert in_shell(message, verb) == message


@pytest.mark.parametrize("verb", NAMES)
def test_every_option_of_every_command_is_named_as_the_command_reads_it(verb):
    """No list of options to keep: each parameter of each signature is translated."""
    for name, parameter in inspect.signature(Verb(verb).command()).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            flag = f"--{name.replace('_', '-')}"
            value = "True" if parameter.default is False else "..."
            assert in_shell(f"Pass {name}={value}.", verb).startswith(f"Pass {flag}")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with files that need a remedy."""
    monkeypatch.chdir(tmp_path)
    fine = xdownscale.tutorial.rain((12, 30, 30)).rename("rain")
    fine.to_netcdf("truth.nc")
    fine.isel(x=slice(0, 25)).to_netcdf("odd.nc")
    fine.isel(time=[0, 1, 2, 5, 6, 7]).to_netcdf("gap.nc")
    fine.drop_attrs().to_netcdf("bare.nc")
    fine.rename(y="rows", x="columns").drop_vars(["rows", "columns"]).to_netcdf("rows.nc")
    xr.Dataset({"rain": fine, "snow": fine}).to_netcdf("two.nc")
    fine.sr.coarsen(10, 3).to_netcdf("coarse.nc")
    xr.concat([fine, 2 * fine], "member").assign_attrs(fine.attrs).to_netcdf("ensemble.nc")
    (tmp_path / "there.nc").write_text("years of work")
    return tmp_path


FAILED = [
    ("coarsen odd.nc out.nc --spatial 10", "--boundary trim"),
    ("coarsen odd.nc out.nc --spatial 10", "--boundary pad"),
    ("coarsen gap.nc out.nc --temporal 3", "--gaps split"),
    ("coarsen truth.nc there.nc --spatial 10", "--overwrite"),
    ("coarsen bare.nc out.nc --temporal 3", "--time-method"),
    ("coarsen truth.nc out.nc --spatial 10 --min-valid 3", "--min-valid 0.5"),
    ("coarsen truth.nc out.nc --spatial 0", "--spatial 3"),
    ("coarsen rows.nc out.nc --spatial 10", "--dims y="),
    ("downscale coarse.nc out.nc", "--spatial 10 --temporal 3"),
    ("downscale coarse.nc out.nc --spatial 10 --temporal 3 --members 0", "--members 1"),
    ("downscale coarse.nc out.nc --spatial 10 --temporal 3 --device gpu7", "--device auto"),
    ("downscale two.nc out.nc --spatial 10 --temporal 3", "--variable"),
    ("evaluate ensemble.nc out.nc --observations truth.nc --metrics brier_score", "--thresholds 0.1 1 10"),
    ("evaluate ensemble.nc out.nc --observations truth.nc --metrics mae --bootstrap 0", "--bootstrap 2"),
    ("evaluate ensemble.nc out.nc --observations truth.nc --metrics mae --by week", "--by season"),
    ("evaluate two.nc out.nc --observations bare.nc --metrics mae --reference none", "--others"),
    ("report scores.nc out.html --observations truth.nc", "--forecasts"),
    ("train two.nc out.safetensors --spatial 10", "--targets"),
    ("train two.nc out.safetensors --spatial 10", "--variable"),
    ("train truth.nc out.safetensors", "--spatial 4"),
    ("train truth.nc out.safetensors --spatial 10 --steps 0", "--steps 1"),
    ("train truth.nc out.safetensors --spatial 10 --validation 2", "--validation 0.1"),
]
ENDS = {"--time-method": "--time-method mean", "--dims y=": "--dims y=rows x=columns"}
"""What the reader adds to a remedy that leaves a choice."""


@pytest.mark.parametrize(("command", "told"), FAILED)
def test_errors_name_the_option(files, command, told, capsys):
    if command.startswith("report"):
        xr.Dataset({"mae": 1.0}).to_netcdf("scores.nc")
    assert main(shlex.split(command)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert told in said
    assert not re.search(r"(pass|Pass|or) \w+=|\b(downscale|evaluate|train)\(", said), said
    assert not (files / "out.nc").exists()
    assert (files / "there.nc").read_text() == "years of work"


@pytest.mark.parametrize(("command", "told"), FAILED[:9] + FAILED[12:15])
def test_the_command_with_the_option_works(files, command, told):
    option = shlex.split(ENDS.get(told, told))
    kept, flag = command.split(), option[0]
    if flag in kept:
        del kept[kept.index(flag) : kept.index(flag) + 2]
    assert main([*kept, *option]) == 0


def test_observations_and_forecasts_that_were_swapped(files, capsys):
    assert main(shlex.split("evaluate truth.nc out.nc --observations ensemble.nc --metrics mae")) == 1
    told = re.search(
        r"xdownscale (evaluate ensemble.nc OUT --observations truth.nc)", capsys.readouterr().err
    )
    assert main([*shlex.split(told[1].replace("OUT", "out.nc")), "--metrics", "mae"]) == 0


def test_warnings_name_options_and_commands(files, capsys):
    words = "downscale truth.nc out.nc --spatial 2 --quiet"
    assert main(shlex.split(words)) == 0
    said = capsys.readouterr().err
    assert "with xdownscale evaluate, or train on your own scales with xdownscale train" in said


def test_a_field_is_looked_for_by_name_in_the_other_files(files, capsys):
    """Observations with several fields are those of the forecast; a field of none of these names is asked for."""
    words = "evaluate ensemble.nc out.nc --observations two.nc --metrics mae"
    assert main(shlex.split(words)) == 0
    with xr.open_dataset("out.nc") as scores:
        assert list(scores) == ["mae"]
    rain().rename("hail").to_netcdf("hail.nc")
    assert main(shlex.split("correct hail.nc corrected.nc --reference two.nc")) == 1
    assert "--variable NAME" in capsys.readouterr().err
