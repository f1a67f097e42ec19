"""The zoo: shipped weights load and are what the registry says; anything else names what there is."""

import hashlib
import json
from pathlib import Path

import pytest

import xdownscale
from xdownscale import zoo
from xdownscale.errors import ModelFileError, WeightsNotFoundError
from xdownscale.field.factors import Factors


@pytest.mark.parametrize("name", zoo.list())
def test_every_registered_model_is_what_the_registry_says(name):
    entry = zoo.registry()[name]
    path = zoo._file(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    assert path.stat().st_size <= 8 * 2**20
    model = xdownscale.zoo.load(name)
    assert model.factors == Factors.parse(entry["spatial"], entry["temporal"])
    assert zoo.find(model.factors).sha256 == model.sha256
    assert "mch" not in " ".join(model.provenance.data).lower()
    assert name in zoo.card(name)


def test_unknown_names_and_factors_say_what_there_is():
    with pytest.raises(WeightsNotFoundError, match="rain-10x3"):
        zoo.load("snow-2x2")
    with pytest.raises(WeightsNotFoundError, match="rain-10x3"):
        zoo.card("snow-2x2")
    with pytest.raises(WeightsNotFoundError, match="Train your own"):
        zoo.find(Factors.parse(9, 9))


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
