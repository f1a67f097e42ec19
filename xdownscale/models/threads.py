"""How many threads torch takes: one, unless the work is large and the cores are this process's own.

Most operations of the networks are small, and threads that wait for each other on shared cores are several times slower
than one. The choice depends on the work, on limits that do not change while a program runs, and on nothing else: not on
how busy the machine is, since another number of threads may give other bits.

``OMP_NUM_THREADS`` overrules it, and ``torch.set_num_threads`` sets the most that is taken.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Task = TypeVar("Task")

SHARE = 2**20
"""Fine cells of a window that are worth one thread."""

_lock = Lock()
_inside: list[int] = []
"""What torch was set to before, once for every block that is open."""


@contextlib.contextmanager
def threads_for(cells: int = 0) -> Iterator[None]:
    """Compute with as many threads as windows of so many fine cells are worth; torch is left as it was.

    Blocks may be open in several threads of a program at once: what torch was set to before the first of them is what
    it is set to when one ends.

    Parameters
    ----------
    cells : int
        Fine cells and steps that a network passes at once. With none, as where windows are small or tasks run side by
        side, it is one thread.

    Examples
    --------
    >>> with threads_for(120 * 120 * 12):
    ...     inside = torch.get_num_threads()
    >>> inside in (1, torch.get_num_threads())
    True
    """
    with _lock:
        _inside.append(_inside[0] if _inside else torch.get_num_threads())
        before = _inside[0]
    torch.set_num_threads(_number(cells, before))
    try:
        yield
    finally:
        with _lock:
            torch.set_num_threads(_inside.pop())


def workers(tasks: int) -> int:
    """Threads that share out so many independent tasks: at most the cores of this process, and what torch was set to.

    Parameters
    ----------
    tasks : int
    """
    with _lock:
        before = _inside[0] if _inside else torch.get_num_threads()
    most = before if "OMP_NUM_THREADS" in os.environ else min(before, cores())
    return max(1, min(tasks, most))


def share_out(work: Callable[[Task], None], tasks: Sequence[Task], *, most: int = 0) -> None:
    """Work on independent tasks, each in one thread of torch, as many at a time as there are cores.

    Threads inside small operations wait for each other, and on a busy machine they wait long; tasks of seconds do not.
    A task that is alone gets the threads that it is worth.

    Parameters
    ----------
    work : callable
        Of one task.
    tasks : sequence
    most : int
        Fine cells of the largest one.
    """
    count = workers(len(tasks))
    if count == 1:
        with threads_for(most if len(tasks) == 1 else 0):
            for task in tasks:
                work(task)
        return

    def alone(task: Task) -> None:
        with threads_for():
            work(task)

    with ThreadPoolExecutor(count, thread_name_prefix="xdownscale") as pool:
        running = [pool.submit(alone, task) for task in tasks]
        try:
            for each in as_completed(running):
                each.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _number(cells: int, before: int) -> int:
    """Threads for so many fine cells, where torch was set to `before`."""
    return before if "OMP_NUM_THREADS" in os.environ else max(1, min(before, cores(), cells // SHARE))


def cores(root: Path = Path("/")) -> int:
    """Cores that this process may use: of its affinity, of a batch job, and of the quota of its control group.

    Parameters
    ----------
    root : Path
        Where the files of the operating system lie.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    limits: list[float] = [len(affinity(0)) if affinity else os.cpu_count() or 1]
    job = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if job.isdecimal():
        limits.append(int(job))
    return max(1, int(min([*limits, *_quotas(root)])))


def _quotas(root: Path) -> Iterator[float]:
    """Cores by the quotas of the control groups of this process and of all that they lie in, versions 2 and 1."""
    try:
        lines = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for _, kinds, place in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        top = root / "sys/fs/cgroup"
        if kinds:
            top = top / "cpu"
        if kinds and "cpu" not in kinds.split(","):
            continue
        inner = top / place.lstrip("/")
        for folder in {top, inner, *(each for each in inner.parents if top in each.parents)}:
            numbers = _words(folder / "cpu.max") or [
                *_words(folder / "cpu.cfs_quota_us"),
                *_words(folder / "cpu.cfs_period_us"),
            ]
            # "max" and -1 stand for no quota
            if len(numbers) == 2 and all(word.isdecimal() and int(word) > 0 for word in numbers):
                yield int(numbers[0]) / int(numbers[1])


def _words(file: Path) -> list[str]:
    """The words of a file; none where there is no such file."""
    try:
        return file.read_text("utf-8").split()
    except OSError:
        return []
