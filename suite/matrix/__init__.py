"""From a request to cells: the registry, benchmarks, expansion, and the cells that remain to run."""
