"""Threads for the work, within what the process may use, and torch left as it was."""

from threading import Barrier, Thread

import pytest
import torch

from xdownscale.models import threads
from xdownscale.models.threads import SHARE, cores, threads_for


@pytest.fixture
def four(monkeypatch):
    """Four threads of torch, four cores, and nothing that overrules the choice."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(threads, "cores", lambda: 4)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def inside(cells):
    with threads_for(cells):
        return torch.get_num_threads()


@pytest.mark.parametrize(("cells", "wanted"), [(0, 1), (SHARE, 1), (2 * SHARE, 2), (100 * SHARE, 4)])
def test_small_work_takes_one_and_large_work_all_cores(four, cells, wanted):
    assert inside(cells) == wanted
    assert torch.get_num_threads() == 4


def test_the_user_sets_the_most_or_overrules_it(four, monkeypatch):
    torch.set_num_threads(2)
    assert inside(100 * SHARE) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert inside(0) == 2


def test_cores_of_others_are_not_taken(four, monkeypatch):
    monkeypatch.setattr(threads, "cores", lambda: 3)
    assert inside(100 * SHARE) == 3


def test_torch_is_left_as_it_was_after_errors_and_nested_blocks(four):
    def fail():
        with threads_for():
            assert inside(2 * SHARE) == 2
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == 4


def test_blocks_in_several_threads_leave_torch_as_it_was(four):
    meet, seen = Barrier(3), []

    def work():
        with threads_for():
            meet.wait(30)
            seen.append(torch.get_num_threads())
            meet.wait(30)

    workers = [Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    late = Thread(target=lambda: seen.append(torch.get_num_threads()))
    late.start()
    late.join()
    assert seen == [1, 1, 1, 4]
    assert torch.get_num_threads() == 4


def machine(folder, groups, files):
    """Files of an operating system."""
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("groups", "files", "wanted"),
    [
        ("0::/job/step\n", {"sys/fs/cgroup/job/step/cpu.max": "250000 100000\n"}, 2),
        ("0::/job/step\n", {"sys/fs/cgroup/job/cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
        ("0::/elsewhere\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        (
            "4:memory:/job\n3:cpu,cpuacct:/job\n",
            {
                "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        ("nonsense", {}, 8),
    ],
)
def test_quotas_of_both_versions_are_read(four, tmp_path, monkeypatch, groups, files, wanted):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores(machine(tmp_path, groups, files)) == wanted


def test_a_batch_job_and_no_such_system(four, tmp_path, monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores(tmp_path) == 8
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "5")
    assert cores(tmp_path) == 5
