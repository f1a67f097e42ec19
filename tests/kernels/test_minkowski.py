"""Area, perimeter and Euler characteristic: against scikit-image, on every set of 3 × 3 cells and on random ones."""

import numpy as np
import pytest

from xdownscale.kernels.minkowski import (
    PERIMETERS,
    Cells,
    Measure,
    level_functionals,
    minkowski_functionals,
    uniform_cells,
)

measured = pytest.importorskip("skimage.measure")


def expected(mask):
    """The same from scikit-image, which has no dry surroundings: they are given to it."""
    surrounded = np.pad(mask, 1)
    return [
        mask.sum(),
        measured.perimeter_crofton(surrounded, directions=4),
        measured.euler_number(surrounded, connectivity=1),
    ]


def test_every_set_of_nine_cells():
    sets = (np.arange(512)[:, None] >> np.arange(9) & 1).astype(bool).reshape(-1, 3, 3)
    np.testing.assert_allclose(minkowski_functionals(sets), [expected(mask) for mask in sets])


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.8, 0.99])
def test_random_sets(share):
    sets = np.random.default_rng(0).random((2, 5, 17, 23)) < share
    found = minkowski_functionals(sets)
    assert found.shape == (2, 5, 3)
    for place in np.ndindex(2, 5):
        np.testing.assert_allclose(found[place], expected(sets[place]))


def test_discs_have_the_perimeter_of_circles():
    y, x = np.indices((201, 201)) - 100
    for radius in (20, 80):
        area, perimeter, pieces = minkowski_functionals(np.hypot(y, x) <= radius)
        np.testing.assert_allclose(area, np.pi * radius**2, rtol=0.01)
        np.testing.assert_allclose(perimeter, 2 * np.pi * radius, rtol=0.03)
        assert pieces == 1


def test_area_adds_up_and_turning_changes_nothing():
    mask = np.random.default_rng(1).random((12, 15)) < 0.4
    found = minkowski_functionals(mask)
    np.testing.assert_allclose(found[0] + minkowski_functionals(~mask)[0], mask.size)
    for turned in (mask.T, mask[::-1], mask[:, ::-1]):
        np.testing.assert_allclose(minkowski_functionals(turned), found)


def test_pieces_less_holes():
    mask = np.zeros((9, 20), bool)
    mask[1:6, 1:6] = True
    mask[3, 3] = False  # a ring
    mask[1:3, 9:12] = mask[5:7, 14:17] = True  # two pieces
    assert minkowski_functionals(mask)[2] == 2


NINE = (np.arange(512)[:, None] >> np.arange(9) & 1).astype(bool).reshape(-1, 3, 3)
"""Every set of 3 × 3 cells."""


def quads(mask):
    """Numbers of 2 × 2 windows with one, two, three and four cells, and with two on a diagonal (Gray 1971)."""
    padded = np.pad(mask, 1).astype(int)
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    total = a + b + c + d
    aslant = (total == 2) & (a == d)
    return [np.sum((total == n) & ~aslant) for n in (1, 2, 3, 4)] + [np.sum(aslant)]


@pytest.mark.parametrize(
    ("measure", "directions", "joined"),
    [(Measure("crofton", 8), 4, 2), (Measure("crofton2", 4), 2, 1), (Measure("crofton2", 8), 2, 2)],
)
def test_conventions_of_scikit_image_on_every_set_of_nine_cells(measure, directions, joined):
    for mask, found in zip(NINE, minkowski_functionals(NINE, measure), strict=True):
        padded = np.pad(mask, 1)
        wanted = [mask.sum(), perimeter_of(padded, directions), euler_of(padded, joined)]
        np.testing.assert_allclose(found, wanted, atol=1e-12)


def perimeter_of(mask, directions):
    return measured.perimeter_crofton(mask, directions=directions)


def euler_of(mask, joined):
    return measured.euler_number(mask, connectivity=joined)


def test_bit_quads_give_the_same():
    for mask in [*NINE, np.random.default_rng(3).random((30, 40)) < 0.4, np.ones((5, 7), bool)]:
        one, two, three, four, aslant = quads(mask)
        edges4, edges8 = (minkowski_functionals(mask, Measure("edges", c)) for c in (4, 8))
        area = (one + 2 * two + 2 * aslant + 3 * three + 4 * four) / 4
        np.testing.assert_allclose(
            edges4, [area, one + two + three + 2 * aslant, (one - three + 2 * aslant) / 4]
        )
        np.testing.assert_allclose(edges8[2], (one - three - 2 * aslant) / 4)


def test_pieces_and_holes_are_dual():
    for mask in [*NINE, np.random.default_rng(4).random((20, 25)) < 0.5]:
        around = np.pad(~mask, 1, constant_values=True)
        joined8, others4 = (
            minkowski_functionals(m, Measure(connectivity=c))[2] for m, c in ((mask, 8), (around, 4))
        )
        assert joined8 == 1 - others4


@pytest.mark.parametrize("perimeter", PERIMETERS)
@pytest.mark.parametrize("connectivity", [4, 8])
def test_tensors_and_arrays_give_the_same(perimeter, connectivity):
    torch = pytest.importorskip("torch")
    field = np.random.default_rng(5).gamma(0.5, 2, (2, 3, 11, 9)).round(1)
    field[0, 0, 3, 4] = np.nan
    measure = Measure(perimeter, connectivity, Cells(np.arange(1.0, 12), np.arange(2.0, 13), np.arange(12.0)))
    for chosen in (measure, Measure(perimeter, connectivity)):
        found = level_functionals(field, [2.0, 0.5, 1.0], chosen)
        tensors = level_functionals(torch.from_numpy(field), [2.0, 0.5, 1.0], chosen)
        np.testing.assert_allclose(found, tensors.numpy())
        one = [minkowski_functionals(field[1, 2] >= u, chosen) for u in (2.0, 0.5, 1.0)]
        np.testing.assert_allclose(found[1, 2], one)


def test_a_threshold_belongs_to_its_set_and_many_thresholds_are_no_other_than_one():
    values = np.arange(300.0).reshape(15, 20)
    found = level_functionals(values, values.ravel())
    np.testing.assert_array_equal(found[:, 0], 300 - np.arange(300))


def test_stretched_cells_have_the_perimeter_of_stretched_discs():
    y, x = np.indices((301, 301)) - 150
    for height, width in ((1.0, 1.0), (1.0, 1.6), (2.0, 1.0)):
        cells = uniform_cells(301, height, width)
        found = minkowski_functionals(np.hypot(y * height, x * width) <= 120, Measure(cells=cells))
        np.testing.assert_allclose(found[:2], [np.pi * 120**2, 2 * np.pi * 120], rtol=0.04)


def test_size_of_cells_scales_area_and_perimeter():
    mask = np.random.default_rng(6).random((12, 15)) < 0.4
    for perimeter in PERIMETERS:
        once, twice = (
            minkowski_functionals(mask, Measure(perimeter, cells=uniform_cells(12, s, s))) for s in (1.0, 2.0)
        )
        np.testing.assert_allclose(twice / once, [4, 2, 1])


def test_a_rectangle_of_rows_of_different_size():
    """Its area and its length along sides are sums over its cells and its border."""
    cells = Cells(np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 1, 2]), np.array([5.0, 4, 3, 2, 1]))
    mask = np.zeros((4, 6), bool)
    mask[1:3, 2:5] = True
    area, length, pieces = minkowski_functionals(mask, Measure("edges", cells=cells))
    assert (area, length, pieces) == (3 * (2 + 3), 2 * (2 + 1) + 3 * (4 + 2), 1)


def test_a_diamond_and_a_thin_line():
    y, x = np.indices((101, 101)) - 50
    diamond = abs(y) + abs(x) <= 40
    np.testing.assert_allclose(minkowski_functionals(diamond)[:2], [2 * 40**2, 4 * 40 * 2**0.5], rtol=0.06)
    line = np.zeros((101, 101), bool)
    line[50, 10:90] = True
    length = 2 * (80 + 1)
    assert minkowski_functionals(line, Measure("edges"))[1] == length
    np.testing.assert_allclose(minkowski_functionals(line)[1], length, rtol=0.06)


def test_sets_apart_add_up():
    """Two columns apart: closer ones share windows of two by two cells."""
    random = np.random.default_rng(7)
    left, right = np.zeros((12, 20), bool), np.zeros((12, 20), bool)
    left[:, :9], right[:, 11:] = random.random((12, 9)) < 0.4, random.random((12, 9)) < 0.4
    for measure in (Measure(), Measure("edges", 8)):
        apart = minkowski_functionals(left, measure) + minkowski_functionals(right, measure)
        np.testing.assert_allclose(minkowski_functionals(left | right, measure), apart)


def test_length_along_sides_never_breaks_the_isoperimetric_inequality_and_crofton_does():
    """P ≥ 4·√A: a piece has at least the sides of the box around it, and √ is subadditive."""
    random = np.random.default_rng(8).random((400, 10, 10))
    sets = np.concatenate([random < np.linspace(0, 1, 400)[:, None, None], np.ones((1, 10, 10), bool)])
    area, length, _ = minkowski_functionals(sets, Measure("edges")).T
    assert (length >= 4 * np.sqrt(area)).all()
    single = minkowski_functionals(np.eye(1, dtype=bool))
    assert single[1] ** 2 < 4 * np.pi * single[0]


def test_thin_and_empty_frames():
    for shape in ((1, 7), (7, 1), (1, 1)):
        full = np.ones(shape, bool)
        length = 2 * sum(shape)
        assert minkowski_functionals(full, Measure("edges")).tolist() == [full.size, length, 1]
        assert minkowski_functionals(~full).tolist() == [0, 0, 0]
