"""Static pages that draw the figures of `suite.analysis`."""
