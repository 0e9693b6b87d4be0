"""Documents: valid and hostile PDFs and TIFFs of many pages, made by the tests."""
