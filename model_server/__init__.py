"""The model server: a kserve.Model around Tesseract, its engines in worker processes."""
