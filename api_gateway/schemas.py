"""What goes over the wire, described for people: the models of /docs. Answers are tested against them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api_gateway import formats
from api_gateway.documents.selection import PATTERN, parse

PSM_TEXT = (
    "How Tesseract looks for text (its page segmentation mode): 1 automatic, finding out which way is up; "
    "3 automatic; 4 one column; 5 one upright block; 6 one block; 7 one line; 8 one word; 9 one word in a circle; "
    "10 one character; 11 sparse text; 12 sparse text, finding out which way is up; 13 one raw line."
)
Psm = Literal["1", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13"]
FORMAT_TEXT = (
    "; ".join(f"`{name}` ({known.media_type}): {known.description}" for name, known in formats.FORMATS.items())
    + ". Without it the Accept header decides, and JSON where that is open."
)
_MOST_LANGUAGES = 4


class OcrQuery(BaseModel):
    """Query parameters of an OCR request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: Annotated[
        str,
        Field(
            description="Languages on the picture, the main one first, separated by commas; "
            "`GET /gateway/languages` lists what is offered.",
            examples=["eng", "eng,deu"],
            pattern=r"^[A-Za-z0-9_]{2,32}(,[A-Za-z0-9_]{2,32}){0,3}$",
        ),
    ] = "eng"
    psm: Annotated[Psm, Field(description=PSM_TEXT)] = "3"
    format: Annotated[
        formats.Name | None,
        Field(description=FORMAT_TEXT),
    ] = None
    pages: Annotated[
        str | None,
        Field(
            description="Which pages of a document, in this order: numbers and ranges, separated by commas; "
            "`5-` is all from the fifth. Without it: all.",
            examples=["1-3,7"],
            pattern=PATTERN,
        ),
    ] = None
    dpi: Annotated[
        int,
        Field(description="Pixels per inch at which the pages of a PDF are drawn.", ge=72, le=600),
    ] = 300
    text_layer: Annotated[
        Literal["auto", "ignore"],
        Field(
            description="`auto`: a page of a PDF that was born digital gives its own text. "
            "`ignore`: all pages are recognised."
        ),
    ] = "auto"
    allow_partial: Annotated[
        bool,
        Field(
            description="Where a page of a document can't be read: `true` gives the others, and the header "
            "X-Failed-Pages names it. JSON and NDJSON always do, with a status for each page."
        ),
    ] = False

    @field_validator("pages")
    @classmethod
    def _in_order(cls, value: str | None) -> str | None:
        if value is not None:
            parse(value)
        return value

    @field_validator("languages")
    @classmethod
    def _tidy(cls, value: str) -> str:
        return ",".join(dict.fromkeys(value.split(",")))

    @property
    def model_parameters(self) -> dict[str, object]:
        """The parameters of a V1 instance."""
        return {"languages": self.languages.split(","), "psm": int(self.psm)}


Confidence = Annotated[float, Field(ge=0, le=100)]


class Word(BaseModel):
    """One word and where it stands."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(examples=["Total"])
    confidence: Confidence = Field(description="How sure the engine is, 0 to 100.", examples=[96.1])
    bbox: tuple[int, int, int, int] = Field(
        description="x0, y0, x1, y1 in pixels from the upper left corner of the upright picture, ends excluded.",
        examples=[[22, 24, 64, 41]],
    )
    block: int = Field(ge=1, description="Number of the block on the page.")
    paragraph: int = Field(ge=1, description="Number of the paragraph in its block.")
    line: int = Field(ge=1, description="Number of the line in its paragraph.")


class Page(BaseModel):
    """One page of the file."""

    model_config = ConfigDict(extra="forbid")

    page: int = Field(ge=1, description="Its number in the file.")
    status: Literal["ok", "failed"] = Field(description="What became of it.")
    source: Literal["ocr", "embedded"] = Field(
        description="`embedded`: the text that the PDF brought along; its confidence is said to be 100."
    )
    width: int | None = Field(
        ge=1, description="Pixels, upright; null for a failed page that was not even opened."
    )
    height: int | None = Field(ge=1, description="Pixels, upright.")
    dpi: float | None = Field(description="Pixels per inch: of the drawing of a PDF's page, or said by a TIFF.")
    text: str
    confidence: Confidence | None = Field(description="Mean over the words; null without words.")
    words: list[Word]
    duration_seconds: float = Field(ge=0, description="Decoding and recognition.")
    attempts: int = Field(ge=0, description="How many times a model server began it; 0 for embedded text.")
    code: str | None = Field(
        default=None,
        description="Only of a failed page: why, for programs: damaged_page, page_too_large, too_many_pixels, "
        "page_too_complex, or a code that the request for a single picture would fail with.",
    )
    detail: str | None = Field(default=None, description="Only of a failed page: why, for people.")


class Model(BaseModel):
    """What read the page: enough to read it again the same way."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    name: str = Field(examples=["ocr-model"])
    engine: str = Field(examples=["tesserocr"])
    tesseract: str = Field(description="Version of the engine.", examples=["5.5.4"])
    languages: list[str] = Field(examples=[["eng"]])
    traineddata: dict[str, str] = Field(description="SHA-256 of each language's data.")


class OcrAnswer(BaseModel):
    """The text of a picture or a document."""

    model_config = ConfigDict(extra="forbid")

    request_id: str = Field(description="Also in the header X-Request-ID, and in the logs of both services.")
    status: Literal["complete", "partial"] = Field(description="`partial`: a page failed; see its status.")
    text: str = Field(examples=["HELLO 2026\n"], description="Of all pages, with a form feed between two.")
    confidence: Confidence | None = Field(description="Mean over the words, 0 to 100; null without words.")
    pages: list[Page] = Field(description="The pages that were asked for, in that order; of a picture the first.")
    page_count: int = Field(ge=1, description="How many pages the file has.")
    model: Model | None = Field(description="Null where no page was recognised.")


class Languages(BaseModel):
    """What can be asked for."""

    model_config = ConfigDict(extra="forbid")

    languages: list[str] = Field(examples=[["deu", "eng"]])
    formats: list[str] = Field(description="Formats of pictures that are read.", examples=[["png", "jpeg"]])
    max_megapixels: float
    max_image_mib: float


class Health(BaseModel):
    status: Literal["alive", "serving", "ready"]


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: Literal["about:blank"]
    title: str = Field(description="The status in words.", examples=["Unsupported Media Type"])
    status: int = Field(examples=[415])
    detail: str = Field(description="What is wrong, for people.")
    code: str = Field(description="What is wrong, for programs: stable.", examples=["not_an_image"])
    request_id: str
    pages: list[dict[str, int | str]] | None = Field(
        default=None, description="Only of pages_failed: each failed page with its code and detail."
    )
