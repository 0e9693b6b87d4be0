"""Documents: PDFs and TIFFs of many pages, made by the tests, sound and hostile."""
