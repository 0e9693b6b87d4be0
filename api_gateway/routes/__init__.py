"""One file per endpoint, or for a few that belong together."""
