"""Pure array mathematics: the same few lines for numpy arrays and torch tensors, shared by scores and losses."""
