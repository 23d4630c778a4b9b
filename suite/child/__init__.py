"""Inside a cell's process: the only place with frameworks."""
