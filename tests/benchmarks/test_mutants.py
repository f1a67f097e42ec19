"""Mutants: each is one fault of a known kind, in code and not in words, and the same for the same seed."""

import ast
from pathlib import Path

import mutants
import pytest

SOURCE = '''
"""Words."""
LIMIT: int = 3


def share(a: float, b: int = 2) -> float:
    """Half of it."""
    if a > b and b != 1:
        msg = f"{a} + 1"
        raise ValueError(msg)
    a += 1
    print(a)
    return a - b * 0.5
'''


def faults(source=SOURCE):
    return {mutants.mutant_at("a/b", source, place).change for place in mutants.places_in(source)}


def test_faults_are_of_the_known_kinds_and_not_in_words():
    test, body = "a > b and b != 1", "msg = f'{a} + 1' raise ValueError(msg)"
    assert faults() == {
        "3  ->  4",
        "2  ->  3",
        f"if {test}: {body}  ->  if not ({test}): {body}",
        "a > b and b != 1  ->  a > b or b != 1",
        "a > b  ->  a >= b",
        "b != 1  ->  b == 1",
        "1  ->  2",
        "a += 1  ->  a -= 1",
        "a += 1  ->  pass",
        "print(a)  ->  pass",
        "a - b * 0.5  ->  a + b * 0.5",
        "a - b * 0.5  ->  a",
        "b * 0.5  ->  b / 0.5",
        "0.5  ->  0.75",
    }


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("x = not a", "not a  ->  a"),
        ("x = ~a", "~a  ->  a"),
        ("x = -a", "-a  ->  +a"),
        ("x = 0.0", "0.0  ->  1.0"),
        ("x = True", "True  ->  False"),
    ],
)
def test_signs_and_truth_values_are_turned_round(code, fault):
    assert fault in faults(code)


def test_every_mutant_can_be_read_and_differs():
    for place in mutants.places_in(SOURCE):
        made = mutants.mutant_at("a/b", SOURCE, place).source
        ast.parse(made)
        assert made != ast.unparse(ast.parse(SOURCE))


def test_the_same_seed_draws_the_same_mutants_with_a_share_for_each_module():
    modules = ["inference/tiles", "diffusion/schedule"]
    first, again, other = (mutants.chosen(modules, count=5, per_file=3, seed=seed) for seed in (0, 0, 1))
    assert first == again != other
    assert [mutant.module for mutant in first] == [*modules, *modules, modules[0]]


def test_a_mutant_is_killed_by_the_test_that_fails_and_the_copy_is_put_right_again(tmp_path, monkeypatch):
    (tmp_path / "xdownscale/a").mkdir(parents=True)
    code = tmp_path / "xdownscale/a/b.py"
    code.write_text("VALUE = 1\n")
    passes = {"VALUE = 2\n": False, "VALUE = 3\n": True, "VALUE = 4\n": None}
    monkeypatch.setattr(mutants, "tests_of", lambda _: ["test_b.py"])
    monkeypatch.setattr(mutants, "_passes", lambda *_: passes.get(code.read_text(), True))
    outcomes = [
        mutants.judged(mutants.Mutant("a/b", 1, "", source), tmp_path, seconds=60).outcome
        for source in passes
    ]
    assert outcomes == ["killed", "survived", "killed (time)"]
    assert code.read_text() == "VALUE = 1\n"


def test_modules_have_tests_that_mirror_them():
    for module in mutants.MODULES:
        room, name = module.split("/")
        assert mutants.tests_of(module)[0] == f"tests/{room}/test_{name}.py"
        assert (Path(mutants.ROOT) / "xdownscale" / f"{module}.py").is_file()
