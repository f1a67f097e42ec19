"""The model file: what comes back is what was written; damaged, altered and foreign files are told apart."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import xdownscale
from xdownscale.errors import ModelFileError
from xdownscale.model.artefact import read_model, write_model
from xdownscale.model.downscaler import Downscaler, Provenance, Variable, load
from xdownscale.model.generator import Generator, GeneratorSettings, StaticField
from xdownscale.model.recipe import NetworkSize
from xdownscale.model.transform import Standard

SMALL = NetworkSize(maps=(2, 2, 1), width=16, encoder_blocks=1, decoder_blocks=1, stages=(16, 8, 8, 8))


@pytest.fixture
def downscaler():
    settings = GeneratorSettings(
        blocks=(3, 4, 2),
        transform=Standard(1.0, 2.0),
        static=(StaticField("height", 300.0, 50.0),),
        size=SMALL,
    )
    return Downscaler(
        Generator(settings),
        variable=Variable("tas", "K", "air_temperature"),
        provenance=Provenance(
            data=("a", "b"), spacing=1000.0, spacing_units="m", step=300.0, scores={"crps": 0.1}
        ),
        name="mine",
    )


def test_round_trip(downscaler, tmp_path):
    back = load(downscaler.save(tmp_path / "m.safetensors"))
    assert back.method.settings == downscaler.method.settings
    assert (back.variable, back.provenance, back.name) == (downscaler.variable, downscaler.provenance, "mine")
    assert back.sha256 == downscaler.sha256
    assert str(back.factors) == "((4, 2), 3)" or back.factors.blocks == (3, 4, 2)
    assert not list(tmp_path.glob("*.part"))


def test_repr_says_what_it_does(downscaler):
    text = repr(downscaler)
    for word in ("mine", "tas [K]", "one-pass generator", "height", "1000 m", "crps"):
        assert word in text


def test_a_truncated_file_is_named(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match="damaged"):
        load(path)


def test_an_altered_file_is_named(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelFileError, match="altered"):
        load(path)


def test_weights_of_another_network_are_named(downscaler, tmp_path):
    tensors, document = read_model(downscaler.save(tmp_path / "m.safetensors"))
    tensors.pop("network.move.guess.convolution.bias")
    write_model(tmp_path / "old.safetensors", tensors, document)
    with pytest.raises(ModelFileError, match=r"do not fit.*Train it again"):
        load(tmp_path / "old.safetensors")


def test_a_foreign_file_is_named(tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match="no xdownscale model"):
        load(tmp_path / "other.safetensors")


def test_a_newer_format_is_named(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")
    save_file(load_file(path), path, metadata={"xdownscale": json.dumps({"format": 99})})
    with pytest.raises(ModelFileError, match="newer format"):
        read_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match="no model file"):
        xdownscale.load(tmp_path / "nowhere.safetensors")


def test_a_file_from_before_steps_could_grow_apart_has_none_that_do(downscaler):
    document = downscaler.method.settings.to_json()
    del document["size"]["apart"]
    settings = GeneratorSettings.from_json(document)
    assert Generator(settings).network.apart is None
    assert set(Generator(settings).state_dict()) == set(downscaler.method.state_dict())
