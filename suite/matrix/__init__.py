"""From a request to cells: the registry, presets, expansion, and the cells that remain to run."""
