"""Rules for every test and doctest: no network, names for examples, an empty folder to write in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import xarray as xr

_HERE = ("127.0.0.1", "::1", "localhost", "")
"""Hosts that are this machine: a local dask cluster talks to them."""


class NoNetworkError(OSError):
    """A test reached for the network."""

    def __init__(self, host: object) -> None:
        super().__init__(f"tests run without network, but something asked for {host!r}")


def _guarded(connect: Any) -> Any:
    """`connect`, for sockets that stay on this machine."""

    def only_here(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _HERE:
            raise NoNetworkError(address[0])
        return connect(self, address)

    return only_here


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Forbid sockets to other machines, and the look-up of their names."""
    look_up = socket.getaddrinfo

    def only_here(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name not in (*_HERE, socket.gethostname()):
            raise NoNetworkError(name)
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", _guarded(socket.socket.connect_ex))
        patch.setattr(socket, "getaddrinfo", only_here)
        yield


@pytest.fixture(autouse=True)
def _examples(
    request: pytest.FixtureRequest,
    doctest_namespace: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Give doctests the usual names and a folder of their own."""
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace.update(np=np, xr=xr)
        monkeypatch.chdir(tmp_path_factory.mktemp("doctest"))
