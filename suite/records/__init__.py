"""Files on disk: records, published records, benchmarks and tuned rates, and what they mean."""
