"""Devices: what cannot be computed on is refused, and a network stays where it is."""

import pytest
import torch

from tests.models import model, residual_model
from xdownscale.errors import FactorError
from xdownscale.model.device import chosen_device, on_device


def test_auto_and_names_of_devices():
    assert chosen_device("auto") in ("cpu", "cuda")
    assert chosen_device("cpu") == chosen_device(torch.device("cpu")) == "cpu"


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99", "", 1.5, None])
def test_others_are_refused_with_what_is_there(device):
    with pytest.raises(FactorError, match=r'Pass device="auto", device="cpu"'):
        chosen_device(device)


@pytest.mark.parametrize("trained", [model(), residual_model()], ids=["generator", "residual"])
def test_a_network_elsewhere_is_a_copy_and_here_it_is_itself(trained):
    method = trained.method
    assert on_device(method, "cpu") is method
    moved = on_device(method, "meta")
    assert {weight.device.type for weight in moved.parameters()} == {"meta"}
    assert {weight.device.type for weight in method.parameters()} == {"cpu"}
    assert moved.settings == method.settings
    assert [name for name, _ in moved.named_parameters()] == [name for name, _ in method.named_parameters()]
