"""The store of jobs in SQL: tables, transactions by theme, and the two drivers that run them."""
