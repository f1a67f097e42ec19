"""The log of what was tried: trials of optuna in a journal, which outlives the process that writes it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xdownscale.errors import FileError, OptionalDependencyError, ResumeError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

RUN, TOOK, SCORES, CHOSEN = "run", "seconds", "scores", "chosen"
"""Names of what is written beside the values: which run it is, of a trial its duration and all its scores, and of a
study the settings that were chosen where they are not those of the least score."""

BEGINNING: Final = b'{"op_code":'
"""Of a journal."""

STUDY: Final = "settings"
"""The search; another study is of the length of the context."""


@dataclass(frozen=True)
class Tried:
    """One trial that is over.

    Parameters
    ----------
    values : dict
        By place in the recipe.
    score : float
        The less, the better.
    seconds : float
    scores : dict
        All of the scores on held-out windows.
    """

    values: dict[str, Any]
    score: float
    seconds: float
    scores: dict[str, float]


def optuna() -> Any:
    """The library that searches; raises where it is not installed."""
    try:
        import optuna as library
    except ImportError as cause:
        msg = "tune needs optuna, which is not installed: pip install 'xdownscale-sr[tune]'"
        raise OptionalDependencyError(msg) from cause
    library.logging.set_verbosity(library.logging.ERROR)
    return library


def storage_at(path: str | os.PathLike[str] | None) -> Any:
    """Where trials are kept: a journal, or memory.

    Parameters
    ----------
    path : path or None
        A last line that was not written to its end, by a process that was killed, is taken off.

    Raises
    ------
    FileError
        If the file is no journal.
    """
    storages = optuna().storages
    if path is None:
        return storages.InMemoryStorage()
    place = Path(path)
    if place.exists():
        content = place.read_bytes()
        if content and not content.startswith(BEGINNING):
            msg = f"{str(path)!r} is not a log of xdownscale.tune. Pass the path of one, or of a new file."
            raise FileError(msg)
        if content and not content.endswith(b"\n"):
            with place.open("rb+") as file:
                file.truncate(content.rfind(b"\n") + 1)
    return storages.JournalStorage(storages.journal.JournalFileBackend(str(place)))


def study_in(storage: Any, name: str, run: Mapping[str, Any], *, path: Any, sampler: Any = None) -> Any:
    """A study of a run, taken up if it is there. Trials that were cut off are tried again first.

    Parameters
    ----------
    storage : Storage of optuna
        From :func:`storage_at`.
    name : str
    run : mapping
        Which run it is, plain values.
    path : path or None
        Of the journal, for the message.
    sampler : Sampler of optuna, optional

    Raises
    ------
    ResumeError
        If the journal is of another run.
    """
    library = optuna()
    study = library.create_study(storage=storage, study_name=name, sampler=sampler, load_if_exists=True)
    wanted, there = json.loads(json.dumps(dict(run))), study.user_attrs.get(RUN)
    if there is None:
        study.set_user_attr(RUN, wanted)
    elif there != wanted:
        other = ", ".join(key for key in wanted if there.get(key) != wanted[key])
        msg = f"the log {str(path)!r} is of another run: other {other}. Pass another path, log=..., or delete the file."
        raise ResumeError(msg)
    state = library.trial.TrialState
    for cut in study.get_trials(deepcopy=False, states=(state.RUNNING,)):
        study.tell(cut.number, state=state.FAIL)
        study.enqueue_trial(cut.params)
    return study


def tried(study: Any) -> list[Tried]:
    """What a study has tried to the end."""
    complete = optuna().trial.TrialState.COMPLETE
    return [
        Tried(dict(each.params), float(each.value), each.user_attrs[TOOK], each.user_attrs[SCORES])
        for each in study.get_trials(deepcopy=False, states=(complete,))
    ]


def read_log(path: str | os.PathLike[str]) -> dict[str, tuple[list[Tried], dict[str, Any]]]:
    """All trials of a log by the name of their study, the first one of each with the settings that were started from.

    Parameters
    ----------
    path : path
        What ``tune(..., log=path)`` has written.

    Returns
    -------
    dict
        By name of the study: its trials, and the settings that it chose, none while it goes on.

    Raises
    ------
    FileError
        If there is no such file, or it is no log.
    """
    if not Path(path).exists():
        msg = f"there is no file {str(path)!r}. Write one: xdownscale.tune(..., log={str(path)!r})."
        raise FileError(msg)
    library, storage = optuna(), storage_at(path)
    names = library.study.get_all_study_names(storage)
    studies = {name: library.load_study(study_name=name, storage=storage) for name in names}
    return {name: (tried(study), study.user_attrs.get(CHOSEN, {})) for name, study in studies.items()}
