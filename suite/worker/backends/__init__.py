"""How each backend compiles and runs a step: one file for each, the same names in all."""
