"""Real faults, and checks that the services recover from them completely."""
