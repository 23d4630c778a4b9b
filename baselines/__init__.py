"""The architectures, one file each. `layers` holds the mechanisms that they share."""
