"""Commands of the repository, for developers."""
