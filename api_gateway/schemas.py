"""The requests and answers as /docs describes them. Tests compare real answers with these models."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from api_gateway import formats
from api_gateway.answer import Source
from api_gateway.documents.selection import PATTERN, parse
from service_kit.page import (
    ANY_LANGUAGE,
    BETWEEN_LANGUAGES,
    ENGINES,
    LANGUAGE_NAME,
    MAX_LANGUAGES,
    PSMS,
    WARNINGS,
    EngineName,
    Orientation,
    Parameters,
)

if TYPE_CHECKING:
    Psm = str
else:
    Psm = Literal[tuple(map(str, PSMS))]  # the values, for /docs
PSM_TEXT = "How Tesseract looks for text (its page segmentation mode): " + "; ".join(
    f"{number} {meaning}" for number, meaning in PSMS.items()
)
ENGINE_TEXT = (
    "What reads the pages: "
    + "; ".join(f"`{name}`: {meaning}" for name, meaning in ENGINES.items())
    + ". Without it the server's default, `engine` of `GET /gateway/languages`."
)
FORMAT_TEXT = (
    "; ".join(f"`{name}` ({known.media_type}): {known.description}" for name, known in formats.FORMATS.items())
    + ". Without it the Accept header decides; the default is JSON."
)
PAGES_TEXT = (
    "Which pages of a document, in this order: numbers and ranges, separated by commas; "
    "`5-` means all from page 5. Default: all."
)


def _in_order(value: str) -> str:
    parse(value)
    return value


PageNumbers = Annotated[str, Field(pattern=PATTERN), AfterValidator(_in_order)]


class OcrQuery(BaseModel):
    """Query parameters of an OCR request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: Annotated[
        str,
        Field(
            description="Languages on the picture, the main one first, separated by commas or `+`; "
            "`GET /gateway/languages` lists the available ones. `auto`, alone, finds the language of each page.",
            examples=["eng", "eng,deu", ANY_LANGUAGE],
            pattern=rf"^{LANGUAGE_NAME}({BETWEEN_LANGUAGES}{LANGUAGE_NAME}){{0,{MAX_LANGUAGES - 1}}}$",
        ),
    ] = "eng"
    psm: Annotated[Psm, Field(description=PSM_TEXT)] = "3"
    engine: Annotated[EngineName | None, Field(description=ENGINE_TEXT)] = None
    orientation: Annotated[
        Orientation,
        Field(
            description="`auto`: a page that lies on its side or upside down is turned before it is read, and "
            "`rotation` says by how much; boxes are those of the picture as it was sent. `off`: it is not turned."
        ),
    ] = "auto"
    format: Annotated[
        formats.Name | None,
        Field(description=FORMAT_TEXT),
    ] = None
    pages: Annotated[
        PageNumbers | None,
        Field(
            description=PAGES_TEXT,
            examples=["1-3,7"],
        ),
    ] = None
    dpi: Annotated[
        int,
        Field(
            description="Resolution at which the pages of a PDF are drawn, in pixels per inch. Without it, a page "
            "that would have too many pixels is drawn with fewer, at least 100; `dpi` of the page says how many.",
            ge=72,
            le=600,
        ),
    ] = 300
    text_layer: Annotated[
        Literal["auto", "ignore"],
        Field(
            description="`auto`: the embedded text that a page of a PDF shows is used; other text on the page "
            "is recognised. `ignore`: all pages are recognised."
        ),
    ] = "auto"
    allow_partial: Annotated[
        bool,
        Field(
            description="If pages of a document can't be read: `true` returns the others, and the header "
            "X-Failed-Pages lists the failed ones. JSON and NDJSON always return all, with a status per page."
        ),
    ] = False

    @field_validator("languages")
    @classmethod
    def _tidy(cls, value: str) -> str:
        return ",".join(dict.fromkeys(re.split(BETWEEN_LANGUAGES, value)))

    @property
    def parameters(self) -> Parameters:
        return Parameters(tuple(self.languages.split(",")), int(self.psm), self.engine, self.orientation)


_REQUEST_ID = "0f6d9a52c1b84e7fa3b0c9d1e2f3a4b5"
Confidence = Annotated[float, Field(ge=0, le=100)]


class WordSchema(BaseModel):
    """One word and its position."""

    __qualname__ = "Word"  # in the OpenAPI document
    model_config = ConfigDict(extra="forbid", title=__qualname__)

    text: str = Field(description="The word as it is read.", examples=["Total"])
    confidence: Confidence = Field(description="The engine's confidence, 0 to 100.", examples=[96.1])
    bbox: tuple[int, int, int, int] = Field(
        description="x0, y0, x1, y1 in pixels from the upper left corner of the picture as it was sent, "
        "turned by its EXIF; ends excluded.",
        examples=[[22, 24, 64, 41]],
    )
    block: int = Field(ge=1, description="Number of the block on the page.")
    paragraph: int = Field(ge=1, description="Number of the paragraph in its block.")
    line: int = Field(ge=1, description="Number of the line in its paragraph.")
    source: Literal["embedded", "ocr"] | None = Field(
        default=None, description="Only on `mixed` pages: where the word comes from."
    )
    engine: Literal["tesseract", "neural"] | None = Field(
        default=None, description="Only on pages that two engines read: which one read the word."
    )


class NeuralSchema(BaseModel):
    """The neural engine, as far as its text depends on it."""

    __qualname__ = "Neural"  # in the OpenAPI document
    model_config = ConfigDict(extra="forbid", title=__qualname__)

    name: str = Field(description="Name of its models.", examples=["PP-OCRv6 small"])
    runtime: str = Field(description="What runs the models, and its version.", examples=["openvino 2026.4.1"])
    precision: str = Field(description="Of its arithmetic; texts may differ in a character.", examples=["bf16"])
    weights: dict[str, str] = Field(description="SHA-256 of each model file.")


class ModelSchema(BaseModel):
    """The engines and data that read a page: enough to repeat the recognition exactly."""

    __qualname__ = "Model"  # in the OpenAPI document
    model_config = ConfigDict(extra="forbid", title=__qualname__, protected_namespaces=())

    name: str = Field(description="The model's name on the model server.", examples=["ocr-model"])
    engine: EngineName = Field(description="The engine that was used.", examples=["auto"])
    tesseract: str | None = Field(
        description="Version of Tesseract; null if it did not read the page.", examples=["5.5.4"]
    )
    languages: list[str] = Field(description="For `auto`, those that were found.", examples=[["eng"]])
    traineddata: dict[str, str] = Field(description="SHA-256 of Tesseract's data of each language.")
    neural: NeuralSchema | None = Field(description="The neural engine; null if it did not read the page.")


class PageSchema(BaseModel):
    """One page of the file, and its outcome."""

    __qualname__ = "Page"  # in the OpenAPI document
    model_config = ConfigDict(extra="forbid", title=__qualname__)

    page: int = Field(ge=1, description="Its number in the file.", examples=[1])
    status: Literal["ok", "failed"] = Field(
        description="Whether the page was read; a failed one has `code` and `detail`."
    )
    source: Source = Field(
        description="`embedded`: the PDF's own text, with confidence 100. `mixed`: some words are embedded, "
        "others recognised; each says which. `ocr`: all are recognised."
    )
    width: int | None = Field(
        ge=1,
        description="Pixels of the picture, turned by its EXIF; null for a failed page that was not opened.",
        examples=[576],
    )
    height: int | None = Field(ge=1, description="Pixels of the picture from top to bottom.", examples=[840])
    dpi: float | None = Field(
        description="Pixels per inch: of a drawn page of a PDF, or as a TIFF gives it.", examples=[300]
    )
    rotation: Literal[0, 90, 180, 270] = Field(
        description="By how many degrees clockwise the picture must be turned to be upright. Boxes, `width` and "
        "`height` are those of the picture as it was sent."
    )
    skew: float = Field(description="By how many degrees the lines of the upright picture fall to the right.")
    text: str = Field(
        description="Text of the page: one line per line of text, blank lines between paragraphs.",
        examples=["HELLO 2026\n"],
    )
    confidence: Confidence | None = Field(description="Mean over the words; null without words.", examples=[95.2])
    words: list[WordSchema] = Field(description="All words in reading order, each with its position.")
    duration_seconds: float = Field(ge=0, description="Time for decoding and recognition.", examples=[0.41])
    attempts: int = Field(
        ge=0, description="How many times a model server began to read it; 0 if all text is known to be embedded."
    )
    model: ModelSchema | None = Field(description="What read it; null for embedded text and for a failed page.")
    warnings: list[str] = Field(
        description="Codes for what was unusual about the page although it was read: "
        + "; ".join(f"`{code}`: {text}" for code, text in WARNINGS.items())
    )
    code: str | None = Field(
        default=None,
        description="Only for a failed page: error code: damaged_page, page_too_large, too_many_pixels, "
        "page_too_complex, or a code with which a request for a single picture can fail.",
    )
    detail: str | None = Field(default=None, description="Only for a failed page: the reason, for people.")


class OcrAnswer(BaseModel):
    """The text of a picture or a document."""

    model_config = ConfigDict(extra="forbid")

    request_id: str = Field(
        description="Also in the header X-Request-ID, and in the logs of both services.", examples=[_REQUEST_ID]
    )
    status: Literal["complete", "partial"] = Field(description="`partial`: a page failed; see its status.")
    text: str = Field(examples=["HELLO 2026\n"], description="Text of all pages, separated by form feeds.")
    confidence: Confidence | None = Field(
        description="Mean over the words, 0 to 100; null without words.", examples=[95.2]
    )
    pages: list[PageSchema] = Field(
        description="The requested pages, in the requested order; for a picture the first."
    )
    page_count: int = Field(ge=1, description="How many pages the file has.")
    model: ModelSchema | None = Field(
        description="What read the pages; null if no page was recognised, or if different models read them."
    )


class TesseractSchema(BaseModel):
    """Tesseract, and its data."""

    __qualname__ = "Tesseract"  # in the OpenAPI document
    model_config = ConfigDict(extra="forbid", title=__qualname__)

    version: str = Field(description="Version of the program.", examples=["5.5.4"])
    languages: dict[str, str] = Field(description="SHA-256 of each language's data.")


class NeuralOffer(NeuralSchema):
    """The neural engine, and the languages that it reads."""

    __qualname__ = "NeuralLanguages"  # in the OpenAPI document
    model_config = ConfigDict(extra="forbid", title=__qualname__)

    languages: list[str] = Field(description="Languages that it reads.", examples=[["deu", "eng"]])


class Languages(BaseModel):
    """Available engines, languages and formats, and limits."""

    model_config = ConfigDict(extra="forbid")

    languages: list[str] = Field(description="All that an engine reads.", examples=[["deu", "eng"]])
    engines_of: dict[str, list[Literal["tesseract", "neural"]]] = Field(
        description="Which engines read each language.",
        examples=[{"deu": ["tesseract"], "eng": ["tesseract", "neural"]}],
    )
    engine: EngineName = Field(description="The engine for requests that name none.")
    engines: list[EngineName] = Field(description="Engines that a request can name.")
    tesseract: TesseractSchema = Field(description="Tesseract's version and its languages.")
    neural: NeuralOffer | None = Field(description="The neural engine; null if it is not installed.")
    orientation: str | None = Field(
        description="SHA-256 of the model that finds turned pages; null if it is not installed."
    )
    formats: list[str] = Field(description="Supported formats of pictures.", examples=[["png", "jpeg"]])
    max_megapixels: float = Field(description="Largest picture, in millions of pixels.", examples=[40])
    max_image_mib: float = Field(description="Largest file of a picture, in MiB.", examples=[20])


class Health(BaseModel):
    """The answer to a probe."""

    status: Literal["alive", "serving", "ready"] = Field(description="What the probe asked for is true.")


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: Literal["about:blank"] = Field(description="Always this: `code` tells the errors apart.")
    title: str = Field(description="The status in words.", examples=["Unsupported Media Type"])
    status: int = Field(description="The HTTP status, as a number.", examples=[415])
    detail: str = Field(description="What is wrong, for people.", examples=["Unknown file format."])
    code: str = Field(description="What is wrong, for programs; codes are stable.", examples=["not_an_image"])
    request_id: str = Field(
        description="Id of the request, also in the header X-Request-ID and in the logs.", examples=[_REQUEST_ID]
    )
    pages: list[dict[str, int | str]] | None = Field(
        default=None, description="Only for pages_failed: each failed page with its code and detail."
    )
