"""From a request to cells: the registry, the expansion, and the cells that remain to run."""
