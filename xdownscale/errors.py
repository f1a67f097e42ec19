"""One exception family: a message says what was looked for, what was found, and the call that fixes it."""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "DeviceError",
    "DimensionError",
    "EmptyFieldError",
    "FactorError",
    "FileError",
    "MissingValueError",
    "ModelFileError",
    "OptionalDependencyError",
    "QuantityError",
    "ResumeError",
    "TileError",
    "TimeAxisError",
    "TrainingError",
    "UnitsError",
    "UnknownArgumentError",
    "ValueRangeError",
    "WeightsError",
    "WeightsNotFoundError",
    "XDownscaleError",
]


class XDownscaleError(Exception):
    """Base of every error that the package raises on purpose."""


class DimensionError(XDownscaleError, ValueError):
    """A dimension or its coordinate is missing, ambiguous, irregular, or does not match another field's."""


class TimeAxisError(XDownscaleError, ValueError):
    """The time axis has a gap, irregular steps, or no times."""


class UnitsError(XDownscaleError, ValueError):
    """Units are missing, unknown, or of another dimension than the ones wanted."""


class QuantityError(UnitsError):
    """A field measures another quantity than is wanted, or one that has no mean or sum."""


class ArgumentError(XDownscaleError, ValueError):
    """An argument is none of the known words or numbers, or does not go with another one or with the model."""


class UnknownArgumentError(XDownscaleError, TypeError):
    """A function has no argument of this name."""


class FactorError(ArgumentError):
    """Factors are not whole numbers of at least one, do not divide the field, or are not those of the model."""


class MissingValueError(XDownscaleError, ValueError):
    """Missing values stand where none are allowed."""


class EmptyFieldError(XDownscaleError, ValueError):
    """The field has no cells, or not one valid value."""


class ValueRangeError(XDownscaleError, ValueError):
    """Values that cannot be right: markers of missing data, negative rain, infinities."""


class WeightsError(XDownscaleError, ValueError):
    """Trained weights cannot be used."""


class WeightsNotFoundError(WeightsError, LookupError):
    """No trained weights are known for these factors, this name or this path."""


class ModelFileError(WeightsError):
    """A model file is damaged, altered, or of a format that this version cannot read."""


class DeviceError(XDownscaleError, ValueError):
    """No such device to compute on is there."""


class FileError(XDownscaleError, OSError):
    """A file cannot be read, or cannot be written where it is wanted."""


class ResumeError(FileError):
    """A store holds another job, or an unfinished one that was not asked to go on."""


class TileError(XDownscaleError, RuntimeError):
    """The computation of one tile failed; the message says which."""


class TrainingError(XDownscaleError, RuntimeError):
    """A training run diverged."""


class OptionalDependencyError(XDownscaleError, ImportError):
    """An optional package is missing; the message gives the line that installs it."""
