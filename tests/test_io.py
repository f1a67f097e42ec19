"""The one writer: whole or not at all, with the mode of any new file, through links, and never over what is no file."""

import os
import stat
import threading

import pytest

from xdownscale.errors import FileError, XDownscaleError
from xdownscale.io import check_place, write_store, write_whole


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077], indirect=True)
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path, umask):
    def private(draft):  # as libraries do that write for their owner alone
        draft.unlink()
        os.close(os.open(draft, os.O_CREAT | os.O_WRONLY, 0o600))

    assert mode(write_whole(tmp_path / "a", private)) == 0o666 & ~umask


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    path = tmp_path / "a"
    path.write_text("before")
    path.chmod(0o640)
    assert write_whole(path, lambda draft: draft.write_text("after")).read_text() == "after"
    assert mode(path) == 0o640


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("there", "missing"):
        link, target = tmp_path / f"{name}.png", tmp_path / "data" / name
        if name == "there":
            target.write_text("before")
        link.symlink_to(target)
        seen = []
        write_whole(link, lambda draft, seen=seen: (seen.append(draft.name), draft.write_text("after")))
        assert link.is_symlink()
        assert target.read_text() == "after"
        assert seen == [link.name]  # writers choose the format by the name
    assert sorted(each.name for each in (tmp_path / "data").iterdir()) == ["missing", "there"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a"
    path.write_text("before")

    def fail(draft):
        draft.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match="No space left"):
        write_whole(path, fail)
    with pytest.raises(KeyError):
        write_whole(path, lambda draft: {}["x"])
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
def test_a_device_is_never_replaced(device):
    if not os.path.exists(device):  # noqa: PTH110
        pytest.skip("no such device here")
    with pytest.raises(FileError, match="a device"):
        write_whole(device, lambda draft: draft.write_text("x"))
    assert stat.S_ISCHR(os.stat(device).st_mode)  # noqa: PTH116


def test_places_that_cannot_be_written_are_named_before_any_work(tmp_path):
    fifo, loop, file = tmp_path / "fifo", tmp_path / "loop", tmp_path / "file"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    file.write_text("x")
    refused = {
        tmp_path: "a folder",
        fifo: "a device",
        loop: "a link to itself",
        file / "below": "no folder",
        tmp_path / "none" / "a": r"mkdir\(parents=True\)",
        tmp_path / ("a" * 300): "cannot be written",
        tmp_path / "a\0b": "cannot be written",
    }
    for path, words in refused.items():
        with pytest.raises(FileError, match=words) as caught:
            check_place(path)
        assert isinstance(caught.value, XDownscaleError)
        assert isinstance(caught.value, OSError)
    with pytest.raises(FileError):
        check_place(file / "below" / "a", make_folder=True)
    assert check_place(tmp_path / "none" / "a", make_folder=True).parent.is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_what_may_not_be_written_to_is_refused(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0o444)
    with pytest.raises(FileError, match="is not writable"):
        check_place(tmp_path / "a")
    tmp_path.chmod(0o555)
    with pytest.raises(FileError, match="cannot be written"):
        check_place(tmp_path / "b")
    tmp_path.chmod(0o755)


def test_many_writers_and_readers_of_one_path_see_whole_files(tmp_path):
    path = tmp_path / "a"
    contents = {str(n) * 200_000 for n in range(4)}
    seen = []

    def write(text):
        for _ in range(10):
            write_whole(path, lambda draft: draft.write_text(text))
            seen.append(path.read_text())

    threads = [threading.Thread(target=write, args=(text,)) for text in contents]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(seen) == 40
    assert {*seen} <= contents
    assert list(tmp_path.iterdir()) == [path]


def test_only_a_store_is_replaced_by_a_store(tmp_path):
    def make(number):
        def write(draft):
            draft.mkdir()
            (draft / "zarr.json").write_text(number)

        return write

    for number in "12":
        assert (write_store(tmp_path / "a.zarr", make(number)) / "zarr.json").read_text() == number
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "thesis.tex").write_text("x")
    (tmp_path / "c.zarr").write_text("x")
    for name in "bc":
        with pytest.raises(FileError, match="not replaced by a zarr store"):
            write_store(tmp_path / f"{name}.zarr", make("3"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.zarr", "b.zarr", "c.zarr"]
