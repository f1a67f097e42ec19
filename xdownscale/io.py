"""The one way in which files are written: whole or not at all.

A draft is made in a folder of its own beside the target and then moved there, so that a reader sees the old file or the
new one, and of several writers of one path the last one wins. Links are followed, and what is no file stays as it is.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from xdownscale.errors import FileError, XDownscaleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STORE = ("zarr.json", ".zgroup", ".zarray")
"""What a folder holds that is a zarr store."""


def write_whole(path: str | os.PathLike[str], write: Callable[[Path], object]) -> Path:
    """Write a file.

    Parameters
    ----------
    path : path
        Target; its folder must exist. A link is followed. The file has the permissions of the one that it replaces, or
        those of any new file.
    write : callable
        Writes a draft, which has the name of `path` in another folder.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    FileError
        If there can be no file; what was there is unchanged.

    Examples
    --------
    >>> write_whole("note.txt", lambda draft: draft.write_text("rain")).read_text()
    'rain'
    """
    target = check_place(path)
    with _beside(path, target) as folder:
        draft = folder / Path(path).name
        draft.touch()
        mode = stat.S_IMODE((target if target.exists() else draft).stat().st_mode)
        write(draft)
        draft.chmod(mode)
        with draft.open("rb+") as file:
            os.fsync(file.fileno())  # or a crash could leave an empty file under the name
        draft.replace(target)
    return Path(path)


def write_store(path: str | os.PathLike[str], write: Callable[[Path], object]) -> Path:
    """Write a folder that is a zarr store; parameters as in :func:`write_whole`, and only a store is ever replaced."""
    target = check_place(path, store=True)
    with _beside(path, target) as folder:
        draft, before = folder / "after", folder / "before"
        write(draft)
        if target.exists():
            target.rename(before)
        draft.rename(target)
    return Path(path)


def check_place(path: str | os.PathLike[str], *, store: bool = False, make_folder: bool = False) -> Path:
    """Raise before any work starts if a file could not be written.

    Parameters
    ----------
    path : path
        Where to.
    store : bool
        Whether it is to be a zarr store, which is a folder.
    make_folder : bool
        Whether to make the folder that it is to lie in.

    Returns
    -------
    Path
        The place itself, links followed.

    Raises
    ------
    FileError
        If the folder is missing or may not be written to, or if something else than a file is there.
    """
    try:
        there, target = Path(path), Path(os.path.realpath(path))
        if make_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        taken = target.is_symlink() or (
            there.exists() and not (_is_store(there) if store else there.is_file())
        )
        kept = there.exists() and not os.access(there, os.W_OK)
        folder = target.parent.is_dir()
    except (OSError, ValueError) as cause:  # a name that is too long, or holds a zero byte
        raise FileError(_refused(path, cause)) from cause
    if taken:
        kind = (
            "a folder"
            if there.is_dir()
            else "a file"
            if there.is_file()
            else "a device, or a link to itself,"
        )
        wanted = "zarr store" if store else "file"
        msg = f"{str(path)!r} is {kind} and is not replaced by a {wanted}. Pass another name."
        raise FileError(msg)
    if kept:
        msg = f"{str(path)!r} exists and is not writable. Pass another name, or change its permissions."
        raise FileError(msg)
    if not folder:
        msg = (
            f"{str(path)!r} cannot be written: there is no folder {str(target.parent)!r}. Make it first, as with "
            f"pathlib.Path({str(target.parent)!r}).mkdir(parents=True)."
        )
        raise FileError(msg)
    with _beside(path, target) as beside:
        (beside / target.name).touch()
    return target


@contextmanager
def _beside(path: str | os.PathLike[str], target: Path) -> Iterator[Path]:
    """A folder of one's own beside the target, for a draft."""
    try:
        clean_drafts(target)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=_prefix(os.getpid())) as folder:
            yield Path(folder)
    except XDownscaleError:
        raise
    except OSError as cause:
        raise FileError(_refused(path, cause)) from cause


def clean_drafts(path: str | os.PathLike[str]) -> None:
    """Take away the drafts beside a path of programs on this machine that were killed.

    Parameters
    ----------
    path : path
        An address has none.
    """
    parent = Path(path).parent
    if "://" in str(path) or not parent.is_dir():
        return
    start = _prefix(0).removesuffix("0-")
    for folder in parent.glob(f"{start}*-*"):
        number = folder.name.removeprefix(start).split("-", 1)[0]
        if number.isdecimal() and not _runs(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _prefix(process: int) -> str:
    """How the folders of a process on this machine begin."""
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f".xdownscale-{machine}x{process}-"


def _runs(process: int) -> bool:
    """Whether a process of this machine is still there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user, or no such question here
        return True
    return True


def _refused(path: str | os.PathLike[str], cause: Exception) -> str:
    return f"{str(path)!r} cannot be written ({cause}). Give a path in a folder that you may write to."


def _is_store(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _STORE)
