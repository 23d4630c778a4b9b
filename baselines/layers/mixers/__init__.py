"""The mixers that a pattern of layers can hold, one file each, found by the names of the files.

A file binds an instance of `baselines.layers.mixer.Mixer` to `MIXER`.
"""
