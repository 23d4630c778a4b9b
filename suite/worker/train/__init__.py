"""Training cells: the loop, checkpoints, the selection of weights, and scores."""
