"""What the backends do differently: one file for each, the same names in all."""
