"""What every test and every doctest stands on: no network, no stray files, real data only where they are at hand."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile(
    "the same everywhere", deadline=None, max_examples=25, derandomize=True, database=None
)
settings.load_profile("the same everywhere")

DATA = Path(__file__).parents[1] / "shared" / "data"
"""Real fields beside the checkout; they are no part of it."""


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Let sockets reach nothing but this machine, so that the tests pass on a train."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_here(address[0]):
            msg = f"tests use no network, and this one connects to {address!r}; serve the file from a local folder"
            raise ConnectionRefusedError(msg)
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


def _is_here(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def doctests_in_a_folder_of_their_own(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let examples that write files write them where nobody trips over them."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Path of a real file by its name; skips the test where the file is not at hand."""

    def path(name: str) -> Path:
        if not (DATA / name).is_file():
            pytest.skip(f"{name} is not at hand")
        return DATA / name

    return path
