"""From a request to cells: registry, benchmarks, expansion, and the cells that remain to run."""
