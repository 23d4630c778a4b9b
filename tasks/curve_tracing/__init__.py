"""The curve tracing task."""
