"""The model server: a kserve.Model around Tesseract, with engines in worker processes."""
