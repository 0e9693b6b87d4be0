"""What goes over the wire, described for people: the models of /docs. Answers are tested against them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api_gateway import formats

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
    status: Literal["ok"] = Field(description="What became of it.")
    width: int = Field(ge=1, description="Pixels, upright.")
    height: int = Field(ge=1, description="Pixels, upright.")
    text: str
    confidence: Confidence | None = Field(description="Mean over the words; null without words.")
    words: list[Word]
    duration_seconds: float = Field(ge=0, description="Decoding and recognition.")


class Model(BaseModel):
    """What read the page: enough to read it again the same way."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    name: str = Field(examples=["ocr-model"])
    engine: str = Field(examples=["tesserocr"])
    tesseract: str = Field(description="Version of the engine.", examples=["5.5.4"])
    languages: list[str] = Field(examples=[["eng"]])
    traineddata: dict[str, str] = Field(description="SHA-256 of each language's data.")


class OcrAnswer(BaseModel):
    """The text of a picture."""

    model_config = ConfigDict(extra="forbid")

    request_id: str = Field(description="Also in the header X-Request-ID, and in the logs of both services.")
    text: str = Field(examples=["HELLO 2026\n"])
    confidence: Confidence | None = Field(description="Mean over the words, 0 to 100; null without words.")
    pages: list[Page] = Field(description="The pages that were read: for now the first of the file.")
    page_count: int = Field(ge=1, description="How many pages the file has.")
    model: Model


class Languages(BaseModel):
    """What can be asked for."""

    model_config = ConfigDict(extra="forbid")

    languages: list[str] = Field(examples=[["deu", "eng"]])
    formats: list[str] = Field(description="Formats of pictures that are read.", examples=[["png", "jpeg"]])
    max_megapixels: float
    max_image_mib: float


class Health(BaseModel):
    status: Literal["alive", "ready"]


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: Literal["about:blank"]
    title: str = Field(description="The status in words.", examples=["Unsupported Media Type"])
    status: int = Field(examples=[415])
    detail: str = Field(description="What is wrong, for people.")
    code: str = Field(description="What is wrong, for programs: stable.", examples=["not_an_image"])
    request_id: str
