"""Pictures with known text, the same bytes for the same seed: what the tests and the benchmark read."""
