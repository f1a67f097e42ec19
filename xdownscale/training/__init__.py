"""From a fine field to a trained method: windows, proper scores, the loop; and folds of a cross-validation in space."""

from xdownscale.training.folds import Fold, latin_square_folds

__all__ = ["Fold", "latin_square_folds"]
