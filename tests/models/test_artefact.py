"""The model file: what comes back is what was written; damaged, altered and foreign files are told apart."""

import json
import os
import stat
import struct
import threading
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import xdownscale
from tests.small_models import residual_model
from xdownscale.errors import FileError, ModelFileError
from xdownscale.models.artefact import FORMAT, fingerprint, open_model, write_model
from xdownscale.models.document import Provenance, Variable
from xdownscale.models.downscaler import Downscaler, load
from xdownscale.models.generator import Covariate, Generator, GeneratorSettings
from xdownscale.models.recipe import NetworkSize
from xdownscale.models.transform import Standard

SMALL = NetworkSize(maps=(2, 2, 1), width=16, encoder_blocks=1, decoder_blocks=1, stages=(16, 8, 8, 8))


@pytest.fixture
def downscaler():
    settings = GeneratorSettings(
        blocks=(3, 4, 2),
        transforms=(Standard(1.0, 2.0),),
        static=(Covariate("height", 300.0, 50.0),),
        size=SMALL,
    )
    return Downscaler(
        Generator(settings),
        variables=[Variable("tas", "K", "air_temperature")],
        provenance=Provenance(
            data=("a", "b"), spacing=1000.0, spacing_units="m", step=300.0, scores={"crps": 0.1}
        ),
        name="mine",
    )


def test_round_trip(downscaler, tmp_path):
    back = load(downscaler.save(tmp_path / "m.safetensors"))
    assert back.method.settings == downscaler.method.settings
    assert back.variables == downscaler.variables
    assert (back.provenance, back.name) == (downscaler.provenance, "mine")
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
    path = downscaler.save(tmp_path / "m.safetensors")
    tensors, document = load_file(path), document_of(path)
    tensors.pop("network.move.guess.convolution.bias")
    write_model(tmp_path / "old.safetensors", tensors, document)
    with pytest.raises(ModelFileError, match=r"do not fit.*guess.convolution.bias.*Train it again"):
        load(tmp_path / "old.safetensors")


def test_a_foreign_file_is_named(tmp_path):
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match="not an xdownscale model"):
        load(tmp_path / "other.safetensors")


def test_a_newer_format_is_named(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")
    save_file(load_file(path), path, metadata={"xdownscale": json.dumps({"format": 99})})
    with pytest.raises(ModelFileError, match="newer format"):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match="no model file"):
        xdownscale.load(tmp_path / "nowhere.safetensors")


FILES = Path(__file__).parent / "files"


def document_of(path):
    """What a model file says beside its weights."""
    size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    document = json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["xdownscale"])
    return {key: value for key, value in document.items() if key not in ("format", "sha256")}


def rewritten(path, change, *, hashed):
    """The same file with another document, with its own hash or with the old one."""
    tensors, document = load_file(path), document_of(path)
    change(document)
    if hashed:
        return write_model(path.with_name("changed.safetensors"), tensors, document)
    size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    sha = json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["xdownscale"])["sha256"]
    full = {**document, "format": FORMAT, "sha256": sha}
    save_file(tensors, path.with_name("changed.safetensors"), metadata={"xdownscale": json.dumps(full)})
    return path.with_name("changed.safetensors")


@pytest.mark.parametrize("version", range(1, FORMAT + 1))
@pytest.mark.parametrize("kind", ["generator", "residual"])
def test_every_format_loads_for_ever(version, kind, recwarn):
    model = load(FILES / f"{kind}-{version}.safetensors")
    newest = load(FILES / f"{kind}-{FORMAT}.safetensors")
    assert model.sha256 == newest.sha256
    assert (model.method.settings, model.variables, model.provenance, model.name) == (
        newest.method.settings,
        newest.variables,
        newest.provenance,
        newest.name,
    )
    assert [("first format" in str(w.message)) for w in recwarn] == [True] * (version == 1)


def test_the_call_that_the_warning_about_the_first_format_names_works(tmp_path, recwarn):
    with pytest.warns(UserWarning, match=r"load\(path\).save\(path\)"):
        load(FILES / "generator-1.safetensors").save(tmp_path / "m")
    recwarn.clear()
    load(tmp_path / "m")
    assert not recwarn


DOCUMENT_CHANGES = {
    "epsilon": lambda d: d["settings"]["transforms"][0].update(mean=1.5),
    "conserving": lambda d: d["settings"].update(conserving=False),
    "units": lambda d: d["variables"][0].update(units="degC"),
    "static": lambda d: d["settings"]["static"][0].update(scale=51.0),
    "spacing": lambda d: d["provenance"].update(spacing=2000.0),
    "data": lambda d: d["provenance"]["data"].append("c"),
    "name": lambda d: d.update(name="other"),
}


@pytest.mark.parametrize("what", DOCUMENT_CHANGES)
def test_the_hash_covers_the_document(downscaler, tmp_path, what):
    path = downscaler.save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="altered"):
        load(rewritten(path, DOCUMENT_CHANGES[what], hashed=False))
    changed = load(rewritten(path, DOCUMENT_CHANGES[what], hashed=True))
    assert changed.sha256 != load(path).sha256 == downscaler.sha256


def test_the_hash_does_not_depend_on_how_the_document_is_written(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")

    def turned(document):
        for key in sorted(document, reverse=True):
            document[key] = document.pop(key)

    assert load(rewritten(path, turned, hashed=False)).sha256 == downscaler.sha256


INVALID = {
    "settings.size.width": (0, -1, 2.0, "96", None, True, 10**9, [96]),
    "settings.size.encoder_blocks": (10_000, [1], -1),
    "settings.size.stages": ([8, 8, 8], 8, [8, 8, 8, 0]),
    "settings.blocks": ([3, 4], [0, 4, 2], "342", {"y": 4}),
    "settings.transforms": ([], {}, None, [{}], [{"name": "Exp"}], [[]]),
    "settings.transforms.0.scale": (0.0, -1.0, float("nan"), float("inf"), "2"),
    "settings.styles": ([], 7, ["a", "a"], [1]),
    "settings.default": ("nowhere", 1),
    "settings.static": (None, [{}], [{"name": "h"}, {"name": "h"}], [{"name": "h", "scale": 0}]),
    "settings.stochastic": (1, None, "yes"),
    "settings.predictors": (
        None,
        [{}],
        [{"name": "h"}, {"name": "h"}],
        [{"name": "h", "scale": 0}],
        [{"name": "psl"}],
    ),
    "variables": ([], None, {}, [{}], [{"name": 3}], [{"name": "tas"}, {"name": "psl"}]),
    "variables.0.units": (1, ["K"], "\ud800"),
    "predictors": (None, {}, [{}], [{"name": "psl"}]),
    "provenance.data": ("a", [1], {"a": 1}),
    "provenance.spacing": ("1 km", 0.0, -1.0),
    "provenance.scores": ({"crps": "good"}, [0.1]),
    "provenance.steps": (1.5, -1),
    "kind": ("unet", None, 1),
    "name": (None, 3),
    "was": (1,),
    "settings.was": (1,),
    "settings.size.was": (1,),
}


@pytest.mark.parametrize("key", INVALID)
def test_a_document_that_says_what_cannot_be_is_refused_by_its_key(downscaler, tmp_path, key):
    path = downscaler.save(tmp_path / "m.safetensors")
    *where, last = key.split(".")
    for value in INVALID[key]:

        def change(document, value=value):
            for name in where:
                document = document[int(name) if name.isdigit() else name]
            document[last] = value

        with pytest.raises(ModelFileError, match=last) as caught:
            load(rewritten(path, change, hashed=True))
        assert len(str(caught.value)) < 400


def test_a_residual_that_cannot_be_is_refused(tmp_path):
    path = residual_model().save(tmp_path / "m.safetensors")
    for key, value in {
        "sampler": "magic",
        "steps": 0,
        "dilations": [],
        "attention": {"windows": [1], "frames": 0, "heads": 5},
        "scales": [0.0],
    }.items():
        with pytest.raises(ModelFileError):
            load(rewritten(path, lambda d, k=key, v=value: d["settings"].update({k: v}), hashed=True))


def test_a_key_that_is_missing_is_named_unless_it_has_a_default(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match=r"lacks document\.variables"):
        load(rewritten(path, lambda d: d.pop("variables"), hashed=True))
    back = load(rewritten(path, lambda d: d["settings"]["size"].pop("apart"), hashed=True))
    assert back.method.network.apart is None  # of a file from before steps could grow apart


def test_no_memory_is_taken_for_what_a_file_only_claims(downscaler, tmp_path):
    """A document of many blocks, and a header of a tensor of 4 GiB in a file that is nearly empty on disk."""
    path = downscaler.save(tmp_path / "m.safetensors")
    many = rewritten(path, lambda d: d["settings"]["size"].update(width=4096, encoder_blocks=64), hashed=True)
    size = struct.unpack("<Q", path.read_bytes()[:8])[0]
    header = json.loads(path.read_bytes()[8 : 8 + size])
    first = next(name for name, each in header.items() if each.get("data_offsets", [1])[0] == 0)
    huge = {
        "__metadata__": header["__metadata__"],
        first: {"dtype": "F32", "shape": [2**30], "data_offsets": [0, 2**32]},
    }
    content = json.dumps(huge).encode()
    sparse = tmp_path / "sparse.safetensors"
    with sparse.open("wb") as file:
        file.write(struct.pack("<Q", len(content)) + content)
        file.truncate(8 + len(content) + 2**32)
    tracemalloc.start()
    started = time.monotonic()
    for each in (many, sparse):
        with pytest.raises(ModelFileError):
            load(each)
    assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    tracemalloc.stop()
    assert time.monotonic() - started < 20


def test_headers_that_do_not_agree_with_the_file_are_refused(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    names = [name for name in header if name != "__metadata__"]
    bad = {
        "overlap": {names[1]: {**header[names[1]], "data_offsets": header[names[0]]["data_offsets"]}},
        "half": {names[0]: {**header[names[0]], "dtype": "F16"}},
        "negative": {names[0]: {**header[names[0]], "data_offsets": [-4, 0]}},
        "truth": {names[0]: {**header[names[0]], "shape": [True]}},
        "text": {names[0]: "F32"},
        "metadata": {"__metadata__": {"xdownscale": {}}},
    }
    files = [
        struct.pack("<Q", len(json.dumps({**header, **each})))
        + json.dumps({**header, **each}).encode()
        + data
        for each in bad.values()
    ]
    deep = b'{"a":' + b"[" * 100_000
    files += [
        content + b"x",
        b"",
        content[:7],
        struct.pack("<Q", 2**63) + content[8:],
        struct.pack("<Q", len(deep)) + deep,
    ]
    for each in files:
        (tmp_path / "bad").write_bytes(each)
        with pytest.raises(ModelFileError):
            load(tmp_path / "bad")
    for odd in (tmp_path, "/dev/zero", tmp_path / "a\0b"):
        with pytest.raises(ModelFileError):
            load(odd)


MUTATIONS = int(os.environ.get("XDOWNSCALE_MUTATIONS", "300"))
"""Mutated files that are tried; more of them in a run of one's own."""


def mutated(content, random):
    """A file with a bit, a byte, a word of its document or a stretch changed, cut, doubled or filled."""
    size = struct.unpack("<Q", content[:8])[0]
    place = int(random.integers(0, min(len(content), 8 + size) if random.random() < 0.8 else len(content)))
    stretch = slice(place, place + int(random.integers(1, 40)))
    words = [
        b"null",
        b"true",
        b"-1",
        b"0",
        b"1e999",
        b"NaN",
        b"[]",
        b"{}",
        b"99999",
        b"0.9",
        b'\\"\\"',
        b"2",
        b"1",
    ]
    changes = [
        lambda: (
            content[:place] + bytes([content[place] ^ (1 << int(random.integers(8)))]) + content[place + 1 :]
        ),
        lambda: content[:place] + bytes([int(random.integers(256))]) + content[place + 1 :],
        lambda: content[:place],
        lambda: content[: stretch.start] + content[stretch.stop :],
        lambda: content[: stretch.stop] + content[stretch] + content[stretch.stop :],
        lambda: content[: stretch.start] + bytes(len(content[stretch])) + content[stretch.stop :],
        lambda: with_header(content, size, words[int(random.integers(len(words)))], random),
    ]
    return changes[int(random.integers(len(changes)))]()


def with_header(content, size, word, random):
    """A value of the header or of the document replaced, and the length of the header made right."""
    header = content[8 : 8 + size]
    starts = [n + 2 for n in range(size - 2) if header[n : n + 2] == b": "] or [5]
    start = starts[int(random.integers(len(starts)))]
    stop = min(
        (header.find(end, start) for end in (b",", b"}", b"]") if header.find(end, start) > 0), default=size
    )
    changed = header[:start] + word + header[stop:]
    return struct.pack("<Q", len(changed)) + changed + content[8 + size :]


@pytest.mark.parametrize("kind", ["generator", "residual"])
def test_a_mutated_file_is_refused_or_is_the_same_model(kind, tmp_path):
    content = (FILES / f"{kind}-{FORMAT}.safetensors").read_bytes()
    whole = load(FILES / f"{kind}-{FORMAT}.safetensors")
    random, path, refused = np.random.default_rng(11), tmp_path / "m", 0
    for number in range(MUTATIONS):
        path.write_bytes(mutated(content, random))
        started = time.monotonic()
        try:
            model = load(path)
        except ModelFileError:
            refused += 1
        else:
            same = all(
                map(torch.equal, model.method.state_dict().values(), whole.method.state_dict().values())
            )
            assert same, number
            assert (model.sha256, repr(model)) == (whole.sha256, repr(whole)), number
        assert time.monotonic() - started < 20, number
    assert refused > 0.8 * MUTATIONS


def test_a_saved_file_has_the_mode_of_any_new_file_and_follows_links(downscaler, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "m.safetensors")
    before = os.umask(0o022)
    try:
        downscaler.save(tmp_path / "link")
    finally:
        os.umask(before)
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE((tmp_path / "m.safetensors").stat().st_mode) == 0o644


def test_two_writers_of_one_path_leave_a_whole_file(downscaler, tmp_path):
    other = replace(downscaler.provenance, seed=7)
    models = [downscaler, Downscaler(downscaler.method, variables=downscaler.variables, provenance=other)]
    path = downscaler.save(tmp_path / "m.safetensors")
    known, seen = {each.sha256 for each in models}, []

    def write(model):
        for _ in range(8):
            model.save(path)
            seen.append(load(path).sha256)

    threads = [threading.Thread(target=write, args=(each,)) for each in models]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(seen) == 16
    assert {*seen} <= known
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_loaded_or_written_is_not_saved(downscaler, tmp_path):
    downscaler.variables = (Variable("tas", 1),)
    with pytest.raises(ModelFileError, match="units=1"):
        downscaler.save(tmp_path / "m.safetensors")
    downscaler.variables = (Variable("tas", "K"),)
    downscaler.method.double()
    with pytest.raises(ModelFileError, match=r"method.float\(\)"):
        downscaler.save(tmp_path / "m.safetensors")
    downscaler.method.float()
    with pytest.raises(FileError, match="no folder"):
        downscaler.save(tmp_path / "none" / "m.safetensors")
    assert not list(tmp_path.iterdir())
    downscaler.save(tmp_path / "m.safetensors")


def test_numbers_of_numpy_are_plain_numbers_in_the_file(downscaler, tmp_path):
    downscaler.provenance = Provenance(
        spacing=np.float32(1000), seed=np.int64(3), scores={"crps": np.float64(0.5)}
    )
    back = load(downscaler.save(tmp_path / "m.safetensors"))
    assert back.sha256 == downscaler.sha256
    assert back.provenance == downscaler.provenance


def test_loading_leaves_global_state_alone_and_does_not_depend_on_it(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")
    torch.manual_seed(1)
    np.random.seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    torch.set_default_dtype(torch.float64)
    try:
        back = load(path)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert {weight.dtype for weight in back.method.parameters()} == {torch.float32}
    assert all(weight.requires_grad for weight in back.method.parameters())
    assert back.sha256 == downscaler.sha256


def test_the_recorded_hash_is_that_of_the_file(downscaler, tmp_path):
    path = downscaler.save(tmp_path / "m.safetensors")
    with open_model(path) as file:
        assert file.document["sha256"] == downscaler.sha256
        assert file.document["sha256"] == fingerprint(load_file(path), document_of(path))
