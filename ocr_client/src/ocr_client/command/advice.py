"""What each code means, and what to do about it."""

from __future__ import annotations

# code: (what happened, what to do)
ADVICE: dict[str, tuple[str, str]] = {
    "bad_parameter": ("An option has no such value.", "See: ocr read --help"),
    "bad_psm": ("--psm has no such value.", "It takes 1 and 3 to 13."),
    "bad_pages": ("--pages has no such value.", "It takes numbers and ranges: 1-3,7"),
    "bad_engine": ("--engine has no such value.", "It takes auto, tesseract or neural."),
    "engine_unavailable": ("The server does not have this engine.", "Leave --engine out."),
    "unknown_language": ("The server does not have this language.", "`ocr languages` lists those that it has."),
    "bad_timeout": ("--timeout has no such value.", "It takes a number of seconds."),
    "unauthorized": (
        "The server does not accept the API key.",
        "Set OCR_KEY, or `key` in the configuration file.",
    ),
    "upload_too_slow": ("The upload was too slow.", "Try again, or use a faster connection."),
    "payload_too_large": ("The file is too large.", "Split it, or save it with fewer pixels."),
    "image_too_large": ("The picture has too many bytes.", "Save it with fewer pixels or as JPEG."),
    "document_too_large": ("The document has too many bytes.", "Split it."),
    "unsupported_media_type": ("The file is not a picture or a document.", "Leave it out."),
    "not_an_image": ("The file is not a picture or a document of a known kind.", "Convert it to PDF or PNG."),
    "unsupported_format": ("The picture's format is not supported.", "Convert it to PNG or JPEG."),
    "empty_image": ("The file is empty.", "Copy it again from where it came from."),
    "damaged_image": ("The picture is damaged.", "Scan it or copy it again."),
    "too_many_pixels": ("The picture or page has too many pixels.", "Make it smaller; for a PDF try --dpi 150."),
    "damaged_document": ("The document is damaged.", "Open it in another program, and save it anew."),
    "password_required": ("The document is encrypted.", "Give its password: --password, or OCR_PASSWORD."),
    "wrong_password": ("The password does not open the document.", "Check --password."),
    "xfa_form": ("The form is one that only Adobe Reader shows.", "Print it to a PDF there, and read that."),
    "too_many_pages": ("The document has too many pages.", "Read it in parts: --pages 1-100"),
    "no_such_page": ("The file does not have such a page.", "Check --pages."),
    "pages_failed": ("No page could be read.", "Try --dpi 150, or --format json for the reasons."),
    "damaged_page": ("The page is damaged.", "Save the document anew."),
    "page_too_large": ("The page is too large.", "Print it to smaller pages."),
    "page_too_complex": ("The page is too complex.", "Print it to a picture, and read that."),
    "overloaded": ("The server was busy for too long.", "Try again later, or raise --patience."),
    "too_many_jobs": ("The API key has its maximum of jobs.", "Fetch and delete some: ocr fetch --delete"),
    "not_ready": ("The server was not ready for too long.", "Try again later, or raise --patience."),
    "model_server_unreachable": ("The service lacks its model server.", "Tell its operator."),
    "model_server_failed": ("The model server broke off.", "Try again: --resume"),
    "no_space": ("The server has no disk space.", "Try again later, or tell its operator."),
    "store_unavailable": ("The server's database of jobs does not answer.", "Try again later."),
    "composer_failed": ("The searchable PDF could not be made.", "Try again: --resume"),
    "worker_failed": ("The engine failed on the page.", "Try again: --resume"),
    "worker_crashed": ("The engine crashed on this file.", "Try --engine neural, and report the file as a bug."),
    "out_of_memory": ("The server's memory is too small for the page.", "Make the picture smaller, or --dpi 150."),
    "engine_failed": ("The engine failed on this file.", "Try another --engine."),
    "worker_lost": ("Two workers ended while they read the page.", "Report the file as a bug."),
    "document_kills_worker": ("The document ended three workers.", "Report the file as a bug."),
    "deadline_exceeded": ("It took too long.", "Raise --timeout, or make the picture smaller."),
    "internal_error": ("The server has a bug.", "Report it with the request id."),
    "server_gone": ("The connection was lost each time.", "Try again: --resume"),
    "not_found": ("There is no such job, or it has expired.", "`ocr jobs` lists those that there are."),
    "not_finished": ("The job has not ended.", "Wait: ocr fetch --wait"),
    "job_cancelled": ("The job was cancelled.", "Hand the file in again."),
    "idempotency_mismatch": ("The file or the options changed.", "Hand it in again."),
    "unreadable_file": ("The file cannot be opened.", "Check whether it is there, and its permissions."),
    "unwritable_output": (
        "The output cannot be written.",
        "Check the folder's permissions and the name's length.",
    ),
    "failed_pages": ("Some pages could not be read; the output has the others.", "--format json says why."),
    "not_the_service": ("The address is not that of an OCR service.", "Check --url."),
    "bad_certificate": ("The server's certificate is not valid.", "Name its authority: --ca-file"),
}
_UNKNOWN = ("The server refused the file.", "The code is in the service's documentation.")


def advice(code: str) -> tuple[str, str]:
    return ADVICE.get(code, _UNKNOWN)
