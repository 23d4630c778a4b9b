"""The architectures, one file each; the mechanisms that they share are in `layers`."""
