"""docling's own OCR model class, in a virtual environment of its own; this file imports nothing of ours.

`python docling_client.py` reads one JSON object from standard input and writes one to standard output.
"""

# mypy: ignore-errors

import json
import sys
from pathlib import Path

from docling.backend.pypdfium2_backend import PyPdfiumDocumentBackend
from docling.datamodel.accelerator_options import AcceleratorOptions
from docling.datamodel.base_models import InputFormat, Page
from docling.datamodel.document import ConversionResult, InputDocument
from docling.datamodel.pipeline_options import KserveV2OcrOptions, OcrMode
from docling.models.stages.ocr.kserve_v2_ocr_model import KserveV2OcrModel


def main() -> None:
    asked = json.load(sys.stdin)
    options = KserveV2OcrOptions(model_name="ocr-model", mode=OcrMode.FULL_PAGE, **asked["options"])
    model = KserveV2OcrModel(
        enabled=True,
        artifacts_path=None,
        options=options,
        accelerator_options=AcceleratorOptions(),
        enable_remote_services=True,
    )
    document = InputDocument(
        path_or_stream=Path(asked["pdf"]), format=InputFormat.PDF, backend=PyPdfiumDocumentBackend
    )
    result = ConversionResult(input=document)
    pages = []
    for number in range(document.page_count):
        page = Page(page_no=number + 1)
        page._backend = document._backend.load_page(number)
        page.size = page._backend.get_size()
        pages.append(page)
    found = [
        [
            {"text": cell.text, "confidence": cell.confidence, "box": cell.rect.to_bounding_box().as_tuple()}
            for cell in page.parsed_page.textline_cells
        ]
        for page in model(result, pages)
    ]
    json.dump({"pages": found, "errors": [error.error_message for error in result.errors]}, sys.stdout)


if __name__ == "__main__":
    main()
