"""The tasks, one file each; what several of them share begins with an underscore."""
