"""Do the tests notice when the code is wrong? Small faults are put into it one by one, and the tests must fail.

    python benchmarks/mutants.py --count 75 --seed 0 --json mutants.json
    python benchmarks/mutants.py models/conserve field/times --per-file 20

A fault is one change of the syntax tree: a sign, an operator, a comparison, a constant off by one, ``and`` for ``or``,
a condition turned round, a term or a statement left out. Each is made in a temporary copy of the tree, never in the
checkout, and the tests that mirror the module run there (``tests/<room>/test_<module>.py``), then, if they pass, those
of ``BROADER``, which look at the module from further away. A fault that no test sees is printed with its line: either
nothing changes (an equivalent, such as a tolerance that no value comes near), or a law is missing. The same seed
chooses the same faults as long as the modules do not change.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import hypothesis
import pytest
from hypothesis import Phase

ROOT = Path(__file__).resolve().parents[1]

MODULES = (
    "models/conserve", "models/transform", "models/generator", "inference/noise", "inference/tiles", "inference/engine",
    "field/times", "field/space", "field/block_means", "field/grid", "field/units", "diffusion/sample",
    "diffusion/schedule", "training/patches",
)  # fmt: skip

BROADER = {
    "models": ("tests/test_pins.py",),
    "inference": ("tests/test_pins.py",),
    "training": ("tests/training/test_fit.py",),
    "field": (
        "tests/field/test_grid.py",
        "tests/field/test_gaps.py",
        "tests/test_coarsen.py",
        "tests/test_interpolate.py",
    ),
}  # fmt: skip
"""Tests that see a room from further away: quick ones, since most faults that get here survive them."""

LIBRARIES = (
    "torch",
    "xarray",
    "dask.array",
    "cftime",
    "scipy.special",
    "hypothesis",
    "einops",
    "cf_xarray",
    "netCDF4",
)
"""Imported once for all runs of the tests."""

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.USub: ast.UAdd, ast.LShift: ast.RShift,
}  # fmt: skip


@dataclass
class Mutant:
    """One fault.

    Attributes
    ----------
    module : str
        Where, as "room/module".
    line : int
        Of the source.
    change : str
        What was written, and what stands there now.
    source : str
        The whole module with the fault.
    outcome : str
        "killed", "killed (time)" or "survived".
    by : str
        What noticed it.
    """

    module: str
    line: int
    change: str
    source: str = ""
    outcome: str = ""
    by: str = ""


def places_in(source: str) -> list[tuple[int, int]]:
    """Every fault that is known how to make in a module, as the number of the node and of the change.

    Parameters
    ----------
    source : str
        Its text.
    """
    nodes = enumerate(_code(ast.parse(source)))
    return [(number, change) for number, node in nodes for change in range(len(_changes(node)))]


def mutant_at(module: str, source: str, place: tuple[int, int]) -> Mutant:
    """One of them.

    Parameters
    ----------
    module : str
        Its name, for the record.
    source : str
        Its text.
    place : tuple of int
        One of :func:`places_in`.
    """
    tree = ast.parse(source)
    node = next(each for at, each in enumerate(_code(tree)) if at == place[0])
    before, line = ast.unparse(node), getattr(node, "lineno", 0)
    _changes(node)[place[1]]()
    return Mutant(module, line, f"{_short(before)}  ->  {_short(ast.unparse(node))}", ast.unparse(tree))


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes in which a fault changes results: no messages, annotations, imports or docstrings."""
    for name, value in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list"}:
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and not _silent(node):
                yield node
                yield from _code(node)


def _silent(node: ast.AST) -> bool:
    """Whether a node is about words or types."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Name) and node.targets[0].id in {"msg", "__all__"}
    return isinstance(node, (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom))


def _changes(node: ast.AST) -> list:
    """Ways to make a node wrong, as functions that do it in place."""
    changes: list = []
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.UnaryOp, ast.BoolOp)) and type(node.op) in _SWAPS:
        changes.append(lambda: setattr(node, "op", _SWAPS[type(node.op)]()))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        changes.append(lambda: _become(node, node.left))
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPS:
        changes.append(lambda: node.ops.__setitem__(0, _SWAPS[type(node.ops[0])]()))
    if isinstance(node, ast.Constant):
        changes += _other_constants(node)
    if isinstance(node, (ast.If, ast.IfExp)):
        changes.append(lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
        changes.append(lambda: _become(node, node.operand))
    if isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        changes.append(lambda: _become(node, ast.Pass()))
    return changes


def _other_constants(node: ast.Constant) -> list:
    """A truth value turned round, an integer off by one, a number half as large again."""
    if isinstance(node.value, bool):
        return [lambda: setattr(node, "value", not node.value)]
    if isinstance(node.value, int):
        return [lambda: setattr(node, "value", node.value + 1)]
    if isinstance(node.value, float):
        return [lambda: setattr(node, "value", node.value * 1.5 or 1.0)]
    return []


def _become(node: ast.AST, other: ast.AST) -> None:
    """Turn a node into another one, where it stands."""
    node.__class__ = type(other)  # type: ignore[assignment]
    node.__dict__ = dict(other.__dict__) | {
        k: v for k, v in node.__dict__.items() if k.endswith(("lineno", "offset"))
    }


def _short(code: str) -> str:
    """The first line of some code."""
    line = " ".join(code.split())
    return line if len(line) <= 90 else line[:87] + "..."


def chosen(modules: list[str], *, count: int, per_file: int, seed: int) -> list[Mutant]:
    """Faults drawn from all modules in turn, so that each has its share.

    Parameters
    ----------
    modules : list of str
        As "room/module".
    count, per_file : int
        Largest number altogether, and of one module.
    seed : int
        Of the draw.
    """
    source = random.Random(seed)
    hats = []
    for module in modules:
        text = (ROOT / "xdownscale" / f"{module}.py").read_text()
        every = places_in(text)
        drawn = source.sample(every, min(per_file, len(every)))
        hats.append([mutant_at(module, text, place) for place in drawn])
    rounds = (hat[number] for number in range(per_file) for hat in hats if number < len(hat))
    return [mutant for mutant, _ in zip(rounds, range(count), strict=False)]


def tests_of(module: str) -> list[str]:
    """Tests that see a module: its mirror, then the broader ones of its room."""
    room, name = module.split("/")
    mirror = f"tests/{room}/test_{name}.py"
    known = dict.fromkeys((mirror, *BROADER.get(room, ())))
    return [each for each in known if (ROOT / each).is_file()]


def judged(mutant: Mutant, tree: Path, *, seconds: float) -> Mutant:
    """The mutant with its outcome.

    Parameters
    ----------
    mutant : Mutant
        Tried in `tree`, which is put right again.
    tree : Path
        A copy of the project.
    seconds : float
        After which a run of the tests of one file counts as failed.
    """
    path = tree / "xdownscale" / f"{mutant.module}.py"
    right = path.read_text()
    path.write_text(mutant.source)
    try:
        for test in tests_of(mutant.module):
            passed = _passes(tree, test, seconds)
            if passed is not True:
                path.write_text(right)
                if not _is_sound(tree, test):
                    sys.exit(f"{test} fails on the code as it is")
                mutant.outcome, mutant.by = "killed" if passed is False else "killed (time)", test
                return mutant
    finally:
        path.write_text(right)
    mutant.outcome = "survived"
    return mutant


@functools.cache
def _is_sound(tree: Path, test: str) -> bool:
    """Whether a file of tests passes on the code as it is: only then does a failure say anything."""
    return _passes(tree, test, 600) is True


def _passes(tree: Path, test: str, seconds: float) -> bool | None:
    """Whether a file of tests passes; None if it does not end in time.

    It runs in a fork, so that what takes longest, the import of the libraries, is done once.
    """
    run = multiprocessing.get_context("fork").Process(target=_test, args=(tree, test), daemon=False)
    run.start()
    run.join(seconds)
    if run.is_alive():
        run.kill()
        run.join()
        return None
    return run.exitcode == 0


def _test(tree: Path, test: str) -> None:
    """Run a file of tests on a tree, in a process of its own."""
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path.insert(0, str(tree))
    sys.dont_write_bytecode = True
    hypothesis.settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None)
    hypothesis.settings.load_profile("mutants")  # a smaller example of a failure is of no use here
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", test]))


def copied(place: str) -> Path:
    """A copy of what the tests need."""
    tree = Path(place) / "tree"
    for folder in ("xdownscale", "tests"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / file, tree / file)
    return tree


def main() -> None:
    """Make mutants, run the tests on each, print and record what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "modules", nargs="*", default=list(MODULES), help="as room/module; default: the numerical ones"
    )
    parser.add_argument("--count", type=int, default=75, help="mutants altogether")
    parser.add_argument("--per-file", type=int, default=8, help="mutants of one module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0, help="for the tests of one file")
    parser.add_argument("--json", type=Path, help="where to write the record")
    wish = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    for library in LIBRARIES:
        importlib.import_module(library)
    mutants = chosen(wish.modules, count=wish.count, per_file=wish.per_file, seed=wish.seed)
    with tempfile.TemporaryDirectory() as place:
        tree = copied(place)
        for number, mutant in enumerate(mutants, 1):
            started = time.monotonic()
            judged(mutant, tree, seconds=wish.seconds)
            took = time.monotonic() - started
            print(
                f"{number:3} {mutant.outcome:9} {took:5.1f} s  {mutant.module}:{mutant.line}  {mutant.change}",
                flush=True,
            )
            if wish.json:
                wish.json.write_text(json.dumps(_record(mutants[:number], wish.seed), indent=1) + "\n")
    alive = sum(mutant.outcome == "survived" for mutant in mutants)
    print(f"{alive} of {len(mutants)} survived")


def _record(mutants: list[Mutant], seed: int) -> dict:
    """What is kept of a run."""
    kept = [{key: value for key, value in asdict(each).items() if key != "source"} for each in mutants]
    survived = sum(each.outcome == "survived" for each in mutants)
    return {"seed": seed, "mutants": len(mutants), "survived": survived, "each": kept}


if __name__ == "__main__":
    main()
