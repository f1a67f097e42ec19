"""The zoo: shipped weights load and are what the registry says; anything else names what there is."""

import hashlib
import json
from pathlib import Path

import pytest

import xdownscale
from xdownscale import zoo
from xdownscale.errors import ModelFileError, WeightsNotFoundError
from xdownscale.field.factors import Factors
from xdownscale.models.scale import Scale


@pytest.mark.parametrize("name", zoo.list())
def test_every_registered_model_is_what_the_registry_says(name):
    entry = zoo.registry()[name]
    path = zoo.path(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    assert path.stat().st_size <= 16 * 2**20
    model = xdownscale.zoo.load(name)
    assert model.factors == zoo._factors(entry)
    if isinstance(model.factors, Factors):
        assert zoo.find(model.factors).sha256 == model.sha256
    assert "mch" not in " ".join(model.provenance.data).lower()
    assert name in zoo.card(name)


def test_unknown_names_and_factors_say_what_there_is():
    with pytest.raises(WeightsNotFoundError, match="rain-10x3"):
        zoo.load("snow-2x2")
    with pytest.raises(WeightsNotFoundError, match="rain-10x3"):
        zoo.card("snow-2x2")
    with pytest.raises(WeightsNotFoundError, match="Train your own"):
        zoo.find(Factors.parse(90, 9))


GENERAL = {
    "file": "g",
    "sha256": "0" * 64,
    "spatial": [1, 25],
    "temporal": [1, 6],
    "km": [1, 8],
    "minutes": [5, 60],
}


@pytest.mark.parametrize(
    ("factors", "scale", "name"),
    [
        ((10, 3), None, "rain-10x3"),
        ((10, 3), Scale(1.2, 6.0), "rain-10x3"),
        ((10, 3), Scale(1.2, None), "rain-10x3"),
        ((10, 3), Scale(4.0, 5.0), "general"),
        ((10, 3), Scale(1.0, 60.0), "general"),
        ((4, 1), Scale(1.0, 5.0), "general"),
        ((4, 1), None, "general"),
    ],
)
def test_a_model_of_the_pair_is_taken_at_its_scale_and_the_general_one_otherwise(
    monkeypatch, factors, scale, name
):
    entries = {"general": GENERAL, "rain-10x3": zoo.registry()["rain-10x3"]}
    monkeypatch.setattr(zoo, "registry", lambda: entries)
    monkeypatch.setattr(zoo, "load", str)
    assert zoo.find(Factors.parse(*factors), scale) == name


def test_the_list_is_a_table(monkeypatch):
    monkeypatch.setattr(
        zoo, "registry", lambda: {"general": {**GENERAL, "bytes": 3 * 2**20, "licence": "CC0"}}
    )
    head, row = repr(zoo.list()).splitlines()
    assert head.split() == ["name", "factors", "variable", "scale", "size", "file", "licence"]
    assert row.split("  ")[0] == "general"
    for part in ("1 to 25 in space", "1–8 km, 5–60 min", "3.0 MiB", "fetched", "CC0"):
        assert part in row


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A registry whose file does not ship."""
    entry = {"file": "far.safetensors", "sha256": "0" * 64, "spatial": 2, "temporal": 1, "card": "far.md"}
    monkeypatch.setattr(zoo, "registry", lambda: json.loads(json.dumps({"far": entry})))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_model_that_does_not_ship_asks_for_its_address(elsewhere, monkeypatch):
    monkeypatch.delenv("XDOWNSCALE_WEIGHTS_URL", raising=False)
    with pytest.raises(WeightsNotFoundError, match="XDOWNSCALE_WEIGHTS_URL"):
        zoo.load("far")


def test_a_download_must_have_the_recorded_hash_and_leaves_nothing_behind(elsewhere, monkeypatch):
    import pooch

    def wrong(url, output_file, pooch, **kwargs):
        Path(output_file).write_bytes(b"<html>not found</html>")

    monkeypatch.setenv("XDOWNSCALE_WEIGHTS_URL", "http://weights.invalid/")
    monkeypatch.setattr(pooch.core, "choose_downloader", lambda url, progressbar=False: wrong)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(ModelFileError, match="could not be fetched"):
        zoo.load("far")
    assert not [path for path in (elsewhere / "cache").rglob("*") if path.is_file()]


def test_a_damaged_shipped_file_is_named(monkeypatch, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"damaged")
    entry = {"file": "x.safetensors", "sha256": "0" * 64, "spatial": 2, "temporal": 1, "card": "x.md"}
    monkeypatch.setattr(zoo, "registry", lambda: {"x": entry})
    monkeypatch.setattr(zoo, "_HERE", tmp_path)
    with pytest.raises(ModelFileError, match="Install xdownscale-sr again"):
        zoo.load("x")


def test_load_takes_what_its_message_names():
    """A name of the list, as the error about a missing file says."""
    with pytest.raises(ModelFileError, match=r"a name of zoo\.list\(\)"):
        xdownscale.load("nowhere.safetensors")
    assert [xdownscale.load(name).name for name in zoo.list()] == [*zoo.list()]
