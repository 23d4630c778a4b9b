"""The methods: one file each, found by the registry like tasks and architectures."""
