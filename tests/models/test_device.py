"""Devices: what is there is taken, what is not there is named with what is, and a network stays where it is."""

import pytest
import torch

import xdownscale
from tests.small_models import model, residual_model
from tests.support import rain
from xdownscale.errors import DeviceError
from xdownscale.models.device import chosen_device, devices, on_device

FIELD = rain((2, 4, 4), step=15, spacing=4000.0)


@pytest.mark.parametrize("device", ["cuda:999", "gpu", "meta", "", "tpu:0", 0.5, None])
def test_what_is_no_device_here_is_an_error_before_work(device, tmp_path):
    for call in (
        lambda: chosen_device(device),
        lambda: xdownscale.downscale(FIELD, model(), device=device),
        lambda: xdownscale.train(
            rain((6, 40, 40)), 4, recipe="small", device=device, checkpoint=tmp_path / "c"
        ),
    ):
        with pytest.raises(DeviceError, match='"auto"') as caught:
            call()
        assert "cpu" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_accelerators_that_are_not_there_are_named(device):
    if any(each.startswith(device) for each in devices()):
        pytest.skip("it is there")
    with pytest.raises(DeviceError, match=device):
        chosen_device(device)


def test_every_device_that_is_offered_can_be_taken():
    assert "cpu" in devices()
    for device in [*devices(), "auto"]:
        assert torch.ones(2, device=chosen_device(device)).sum() == 2
    assert chosen_device(torch.device("cpu")) == "cpu"
    assert xdownscale.downscale(FIELD, model(), device="auto").sizes["y"] == 16


@pytest.mark.parametrize("trained", [model(), residual_model()], ids=["generator", "residual"])
def test_a_network_elsewhere_is_a_copy_and_here_it_is_itself(trained):
    method = trained.method
    assert on_device(method, "cpu") is method
    moved = on_device(method, "meta")
    assert {weight.device.type for weight in moved.parameters()} == {"meta"}
    assert {weight.device.type for weight in method.parameters()} == {"cpu"}
    assert moved.settings == method.settings
    assert [name for name, _ in moved.named_parameters()] == [name for name, _ in method.named_parameters()]
