"""PP-OCRv6 small on OpenVINO: a detector of text lines, and a recogniser of one line.

The weights are PaddleOCR's. The code around them is our own. `rapidocr` does the same with OpenCV, Shapely and
pyclipper, 150 MB on disk and 60 MB in each worker; it pads the lines of a batch to the longest of them, and keeps
memory for every shape that it has seen.
"""
