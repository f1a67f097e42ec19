"""Files that do not ship: a server that misbehaves, a folder, a cache that cannot be written, two processes at once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pooch
import pytest

from tests.zoo.server import serving
from xdownscale.errors import ModelFileError, WeightsNotFoundError
from xdownscale.zoo.fetch import ADDRESS, RETRIES, fetched

CONTENT = bytes(range(256)) * 64
ENTRY = {"file": "far.safetensors", "sha256": hashlib.sha256(CONTENT).hexdigest()}


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and no waiting between tries."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.setattr(pooch.core.time, "sleep", lambda seconds: None)
    return tmp_path / "cache"


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("fault", ["truncated", "corrupt", "404", "html", "dies"])
def test_a_server_that_fails_once_is_asked_again(cache, monkeypatch, fault):
    with serving(CONTENT, fault) as (address, requests):
        monkeypatch.setenv(ADDRESS, address)
        assert fetched("far", ENTRY).read_bytes() == CONTENT
    assert len(requests) == 2
    assert files(cache) == ["far.safetensors"]


@pytest.mark.parametrize("fault", ["truncated!", "corrupt!", "404!", "html!", "dies!"])
def test_a_server_that_always_fails_is_named_and_leaves_nothing_behind(cache, monkeypatch, fault):
    with serving(CONTENT, fault) as (address, requests):
        monkeypatch.setenv(ADDRESS, address)
        with pytest.raises(ModelFileError, match=f"could not be fetched from {address}"):
            fetched("far", ENTRY)
    assert len(requests) == 1 + RETRIES
    assert files(cache) == []


def test_what_is_there_is_not_fetched_and_needs_no_address(cache, monkeypatch):
    with serving(CONTENT) as (address, requests):
        monkeypatch.setenv(ADDRESS, address)
        first = fetched("far", ENTRY)
        monkeypatch.delenv(ADDRESS)
        assert fetched("far", ENTRY) == first
    assert len(requests) == 1
    with pytest.raises(WeightsNotFoundError, match=ADDRESS):
        fetched("far", {**ENTRY, "sha256": "0" * 64})


def test_an_address_that_the_registry_knows_is_taken_and_that_of_the_user_goes_first(cache, monkeypatch):
    with serving(CONTENT) as (address, requests):
        assert fetched("far", {**ENTRY, "source": address}).read_bytes() == CONTENT
        fetched("far", ENTRY).unlink()
        monkeypatch.setenv(ADDRESS, str(cache / "nowhere"))
        with pytest.raises(ModelFileError, match="are not in"):
            fetched("far", {**ENTRY, "source": address})
    assert len(requests) == 1


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_folder_is_read_where_it_is(cache, monkeypatch, tmp_path, prefix):
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv(ADDRESS, prefix + str(folder))
    with pytest.raises(ModelFileError, match=r"no far\.safetensors"):
        fetched("far", ENTRY)
    (folder / "far.safetensors").write_bytes(CONTENT)
    assert fetched("far", ENTRY) == folder / "far.safetensors"
    (folder / "far.safetensors").write_bytes(CONTENT[:-1])
    with pytest.raises(ModelFileError, match="damaged"):
        fetched("far", ENTRY)
    assert files(cache) == []


def test_a_doi_is_looked_up(cache, monkeypatch):
    """By pooch, whose repositories answer with the address of a file."""
    asked = []

    def downloader(url, **_):
        asked.append(url)

        def download(url, output_file, pooch):
            Path(output_file).write_bytes(CONTENT)

        return download

    monkeypatch.setattr(pooch.core, "choose_downloader", downloader)
    monkeypatch.setenv(ADDRESS, "doi:10.5281/zenodo.1234")
    assert fetched("far", ENTRY).read_bytes() == CONTENT
    assert asked == ["doi:10.5281/zenodo.1234/far.safetensors"]


def test_a_cache_that_cannot_be_written_serves_what_it_has_and_is_named_otherwise(cache, monkeypatch):
    with serving(CONTENT) as (address, _):
        monkeypatch.setenv(ADDRESS, address)
        kept = fetched("far", ENTRY)

        def refuse(*args, **kwargs):
            raise PermissionError(13, "read-only")

        monkeypatch.setattr(pooch.core, "make_local_storage", refuse)
        monkeypatch.setattr(pooch.core, "stream_download", refuse)
        assert fetched("far", ENTRY) == kept
        kept.unlink()
        with pytest.raises(ModelFileError, match="XDG_CACHE_HOME"):
            fetched("far", ENTRY)


def test_two_processes_at_once_both_have_the_file(cache, monkeypatch, tmp_path):
    code = (
        "import sys\nfrom xdownscale.zoo.fetch import fetched\n"
        f"path = fetched('far', {ENTRY!r})\n"
        "print(len(path.read_bytes()))\n"
    )
    with serving(CONTENT) as (address, _):
        monkeypatch.setenv(ADDRESS, address)
        runs = [
            subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        told = [run.communicate(timeout=120)[0] for run in runs]
    assert [int(each) for each in told] == [len(CONTENT)] * 2
    assert files(cache) == ["far.safetensors"]
