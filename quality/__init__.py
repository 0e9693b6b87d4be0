"""The quality benchmark: how well the service reads, page by page, beside bare engines."""
