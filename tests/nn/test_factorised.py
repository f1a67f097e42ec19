"""Factorised attention: the four kinds against plain loops, what sees what, equivariance in time."""

import math

import pytest
import torch

from xdownscale.nn.factorised import (
    LinearSpace,
    LinearTime,
    QuadraticSpace,
    QuadraticTime,
    WindowSpace,
    in_patches,
    linear,
    quadratic,
)

SIZES = {"heads": 2, "width": 3}


def qkv(shape=(1, 3, 2, 3, 4, 4), seed=0):
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=source, dtype=torch.float64) for _ in range(3)]


def brute(query, key, value, *, kind):
    """Attention over tokens (N, C), written out."""
    out = torch.zeros_like(query)
    for i in range(len(query)):
        if kind == "quadratic":
            logits = torch.stack([query[i] @ key[j] / math.sqrt(query.shape[1]) for j in range(len(key))])
            weights = logits.exp() / logits.exp().sum()
            out[i] = sum(weights[j] * value[j] for j in range(len(key)))
        else:
            q = query[i].exp() / query[i].exp().sum() / math.sqrt(query.shape[1])
            k = key.exp() / key.exp().sum(0)
            out[i] = sum((q * k[j]).sum() * value[j] for j in range(len(key)))
    return out


@pytest.mark.parametrize(("rule", "kind"), [(quadratic, "quadratic"), (linear, "linear")])
def test_the_rules_are_those_of_plain_loops(rule, kind):
    tokens = [each[0, 0, 0].flatten(1).T.contiguous() for each in qkv()]
    torch.testing.assert_close(rule(*tokens), brute(*tokens, kind=kind))


def test_q_space_has_pixels_for_tokens_and_q_time_whole_frames():
    parts = qkv()
    space = QuadraticSpace(4, **SIZES).attend(*parts)
    time = QuadraticTime(4, **SIZES).attend(*parts)
    t, h = 1, 1
    pixels = brute(*(each[0, t, h].flatten(1).T for each in parts), kind="quadratic")
    torch.testing.assert_close(space[0, t, h], pixels.T.unflatten(1, (4, 4)))
    frames = brute(*(each[0, :, h].flatten(1) for each in parts), kind="quadratic")
    torch.testing.assert_close(time[0, :, h], frames.unflatten(1, (3, 4, 4)))


def test_l_time_has_frames_for_tokens_at_each_pixel():
    parts = qkv()
    found = LinearTime(4, **SIZES).attend(*parts)
    here = brute(*(each[0, :, 1, :, 2, 3] for each in parts), kind="linear")
    torch.testing.assert_close(found[0, :, 1, :, 2, 3], here)


def test_l_space_has_pixels_of_a_patch_for_tokens():
    parts = qkv()
    found = LinearSpace(4, patch=2, **SIZES).attend(*parts)
    here = brute(*(each[0, 0, 0, :, 2:, :2].flatten(1).T for each in parts), kind="linear")
    torch.testing.assert_close(found[0, 0, 0, :, 2:, :2], here.T.unflatten(1, (2, 2)))


@pytest.mark.parametrize("moved", [False, True])
def test_patches_are_isolated_and_the_largest_patch_is_the_map(moved):
    parts = qkv((1, 1, 1, 3, 8, 8))
    changed = [each.clone() for each in parts]
    changed[1][..., 0, 0] += 1.0
    kinds = [LinearSpace(4, patch=4, **SIZES), WindowSpace(4, patch=4, moved=moved, **SIZES)]
    for kind in kinds:
        away = (kind.attend(*parts) - kind.attend(*changed)).abs().sum(3)[0, 0, 0]
        if moved and kind is kinds[1]:  # the window of the corner is that of all four corners
            assert away[2:6, 2:6].max() == 0
            assert away[0, 7] > 0
        else:
            assert away[4:].max() == away[:, 4:].max() == 0
            assert away[3, 3] > 0
    whole = LinearSpace(4, patch=192, **SIZES)
    assert (whole.attend(*parts) - whole.attend(*changed)).abs()[..., 7, 7].max() > 0


def test_patches_go_there_and_back():
    maps = qkv()[0]
    cut = in_patches(maps, 2, 2)
    assert cut.shape == (1, 3, 2, 2, 2, 4, 3)
    torch.testing.assert_close(cut[0, 0, 0, 1, 0], maps[0, 0, 0, :, 2:, :2].flatten(1).T)


@pytest.mark.parametrize("kind", [QuadraticTime, LinearTime, QuadraticSpace])
def test_a_permutation_of_frames_is_a_permutation_of_the_result(kind):
    torch.manual_seed(0)
    made = kind(8, **SIZES)
    x = torch.randn(1, 4, 8, 4, 4)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(made(x)[:, order], made(x[:, order]), rtol=1e-4, atol=1e-5)


def test_attention_in_time_sees_other_frames_and_attention_in_space_does_not():
    torch.manual_seed(0)
    x = torch.randn(1, 3, 8, 4, 4)
    other = x.clone()
    other[:, 2] += 1.0
    for kind, sees in ((QuadraticTime, True), (LinearTime, True), (QuadraticSpace, False)):
        made = kind(8, **SIZES)
        assert torch.allclose(made(x)[:, 0], made(other)[:, 0], atol=1e-6) != sees
