"""A small benchmark of two tasks."""

LISTED = 'architectures = ["vanilla", "longformer", "convolution", "identity", "lstm"]'
SMALL = f"""
name = "small"
version = 1
summary = "a test's benchmark"
model_size = "tiny"
seeds = [0]
time_limit_seconds = 60
{LISTED}

[tasks.ner]
lengths = [64, 128]
steps = 10
positions_per_step = 256

[tasks.image_classification]
lengths = [64]
steps = 10
examples_per_step = 4
options = {{ dropout = 0.3 }}

[[entries]]
architecture = "longformer"
options = {{ window = [64] }}
"""
UNRANKED = "seeds = [0]\nranked = false"
"""Freezing a ranked benchmark takes its data."""
