"""The conformance kit: checks that every architecture has to pass.

Small backbones with random weights run on random inputs. `bench check` runs all checks in a process
of its own, and the tests run them for each built-in architecture.
"""
