"""The benchmark: what the services around the engine cost, as ratios within one run."""
