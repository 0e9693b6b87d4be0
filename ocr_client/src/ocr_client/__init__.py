"""The client of the OCR service: `Client`, `AsyncClient`, and their answers and errors."""

from ocr_client.answers import Answer, Job, Page, Word, Written
from ocr_client.async_client import AsyncClient
from ocr_client.client import Client
from ocr_client.errors import (
    AuthError,
    BadInput,
    BadOption,
    Damaged,
    FailedPage,
    JobCancelled,
    JobNotFinished,
    NoSuchJob,
    OcrError,
    Overloaded,
    PagesFailed,
    PasswordNeeded,
    ReadingFailed,
    Refused,
    ServerGone,
    TooLarge,
    TooSlow,
    UnsupportedFile,
)
from ocr_client.many import Outcome
from ocr_client.options import SUFFIXES, Format, ReadOptions
from ocr_client.traffic import Traffic

__version__ = "0.1.0"

__all__ = [
    "SUFFIXES",
    "Answer",
    "AsyncClient",
    "AuthError",
    "BadInput",
    "BadOption",
    "Client",
    "Damaged",
    "FailedPage",
    "Format",
    "Job",
    "JobCancelled",
    "JobNotFinished",
    "NoSuchJob",
    "OcrError",
    "Outcome",
    "Overloaded",
    "Page",
    "PagesFailed",
    "PasswordNeeded",
    "ReadOptions",
    "ReadingFailed",
    "Refused",
    "ServerGone",
    "TooLarge",
    "TooSlow",
    "Traffic",
    "UnsupportedFile",
    "Word",
    "Written",
]
