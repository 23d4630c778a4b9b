"""From a request to cells: requests, the registry, presets, expansion, and what is left to run."""
