"""The benchmark: the overhead of the services around the engine, as ratios within one run."""
