"""Jobs: the store on SQLite and on PostgreSQL, and what is built on it."""
