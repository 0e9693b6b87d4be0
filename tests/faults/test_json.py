"""Invalid calls to the model server and invalid queries (faults 20 and 21), and fuzzing of both services."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.conftest import Record
from tests.faults.pair import GATEWAY_PATH, KNOWN, MODEL_PATH, Pair
from tests.faults.wire import BOUNDARY, FORM, JSON, multipart

B64 = base64.b64encode(KNOWN).decode()
V2_PATH = "/v2/models/ocr-model/infer"
TENSOR = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [B64]}

LANGUAGES = (
    *(
        "../../x/evil",
        "..",
        "/etc/passwd",
        "eng.traineddata",
        "eng/../eng",
        "eng\0",
        "~eng",
        "eng+deu+../x",
        "+eng",
    ),
    *(
        "eng;id",
        "$(id)",
        "-l",
        "--psm",
        "ENG",
        " eng",
        "eng ",
        "eng\n",
        "%65ng",
        "osd",
        "equ",
        "",
        ",",
        "eng,,deu",
    ),
    *("eng," * 5 + "eng", "\u0435ng", "e" * 1000, "http://127.0.0.1/eng"),
)


@pytest.mark.fault(20, "Languages and modes that are paths, options or commands")
def test_20_language_injection(pair: Pair, record: Record) -> None:
    slowest = 0.0
    for language in LANGUAGES:
        query = "?languages=" + "".join(f"%{byte:02x}" for byte in language.encode())
        answers = [pair.read(KNOWN, query), pair.predict(KNOWN, parameters={"languages": [language]})]
        if "," not in language:
            answers.append(pair.predict(KNOWN, parameters={"languages": language}))
        for answer in answers:
            assert (answer.status, answer.code) == (400, "unknown_language"), language
            assert not set(language) & set("/~;$") or language not in answer.body.decode(), "it is not given back"
            slowest = max(slowest, answer.seconds)
    for psm in ("0", "2", "14", "-1", "3 --oem 0", "3;id", "1e1", "٣", "", "03", "3.0", "0x3"):
        query = "?psm=" + "".join(f"%{byte:02x}" for byte in psm.encode())
        for answer in (pair.read(KNOWN, query), pair.predict(KNOWN, parameters={"psm": psm})):
            assert (answer.status, answer.code) == (400, "bad_psm"), psm
    for query in ("?config=--psm", "?oem=0", "?tessdata=/x", "?languages=eng&lang=deu", "?format=../x"):
        assert pair.read(KNOWN, query).status == 400
    record.saw(f"{len(LANGUAGES)} languages, each by query and by JSON", "400 unknown_language", slowest)
    record.whole(pair)


def v1(instance: Any) -> bytes:
    return orjson.dumps({"instances": [instance]})


def v2(**tensor: Any) -> bytes:
    return orjson.dumps({"inputs": [{**TENSOR, **tensor}]})


MALFORMED: dict[str, tuple[str, bytes]] = {
    "nothing": (MODEL_PATH, b""),
    "null": (MODEL_PATH, b"null"),
    "a number": (MODEL_PATH, b"1"),
    "half an object": (MODEL_PATH, b'{"instances": [{"image"'),
    "no UTF-8": (MODEL_PATH, b'{"instances": ["\xff"]}'),
    "UTF-16": (MODEL_PATH, '{"instances": []}'.encode("utf-16")),
    "half a surrogate": (MODEL_PATH, b'{"instances": [{"image": {"b64": "\\ud800"}}]}'),
    "NaN": (MODEL_PATH, b'{"instances": NaN}'),
    "a number of 5000 digits": (MODEL_PATH, b'{"instances": ' + b"9" * 5000 + b"}"),
    "100000 brackets": (MODEL_PATH, b"[" * 100_000),
    "no instances": (MODEL_PATH, b"{}"),
    "instances of null": (MODEL_PATH, b'{"instances": null}'),
    "no instance": (MODEL_PATH, b'{"instances": []}'),
    "a thousand instances": (MODEL_PATH, orjson.dumps({"instances": [{"image": {"b64": "aGk="}}] * 1000})),
    "instance of null": (MODEL_PATH, v1(None)),
    "no image": (MODEL_PATH, v1({})),
    "an image of text": (MODEL_PATH, v1({"image": B64})),
    "b64 of null": (MODEL_PATH, v1({"image": {"b64": None}})),
    "b64 of a list": (MODEL_PATH, v1({"image": {"b64": [B64]}})),
    "no base64": (MODEL_PATH, v1({"image": {"b64": "*" * 40}})),
    "base64 with spaces": (MODEL_PATH, v1({"image": {"b64": "aGk gaGk="}})),
    "base64 not padded": (MODEL_PATH, v1({"image": {"b64": "aGk"}})),
    "parameters of text": (MODEL_PATH, v1({"image": {"b64": B64}, "parameters": "x"})),
    "languages of an object": (MODEL_PATH, v1({"image": {"b64": B64}, "parameters": {"languages": {"eng": 1}}})),
    "psm of a boolean": (MODEL_PATH, v1({"image": {"b64": B64}, "parameters": {"psm": True}})),
    "V2: nothing": (V2_PATH, b""),
    "V2: a list": (V2_PATH, b"[]"),
    "V2: no input": (V2_PATH, b'{"inputs": []}'),
    "V2: another name": (V2_PATH, v2(name="picture")),
    "V2: FP32": (V2_PATH, v2(datatype="FP32")),
    "V2: an unknown type": (V2_PATH, v2(datatype="X")),
    "V2: a wrong shape": (V2_PATH, v2(shape=[2])),
    "V2: a negative shape": (V2_PATH, v2(shape=[-1])),
    "V2: two dimensions": (V2_PATH, v2(shape=[1, 1])),
    "V2: nested data": (V2_PATH, v2(data=[[B64]])),
    "V2: data of null": (V2_PATH, v2(data=[None])),
    "V2: no data": (V2_PATH, v2(data=None)),
    "V2: 2**70": (V2_PATH, b'{"inputs": [{"name": "image", "shape": [1180591620717411303424]}]}'),
}


@pytest.mark.fault(21, "JSON that is broken, or not what the protocols ask for")
def test_21_malformed_json(pair: Pair, record: Record) -> None:
    slowest = 0.0
    for what, (path, body) in MALFORMED.items():
        answer = pair.post(pair.model, path, body, JSON)
        assert answer.status == 400, (what, answer)
        assert answer.json["error"], what
        slowest = max(slowest, answer.seconds)
    empty = pair.post(pair.model, MODEL_PATH, v1({"image": {"b64": ""}}), JSON)
    assert (empty.status, empty.code) == (422, "empty_image")
    for media_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded", FORM):
        assert pair.post(pair.model, MODEL_PATH, v1({}), {"content-type": media_type}).status == 415
    record.saw(f"{len(MALFORMED)} bodies, V1 and V2", "400 bad_request", slowest)
    record.whole(pair)


@pytest.mark.parametrize("name", ["ce-specversion", "ce-type", "ce-source", "ce-id", "ce-time", "ce-x"])
def test_cloud_events(pair: Pair, name: str) -> None:
    """KServe looks for CloudEvents in headers and bodies: none of them may cause a failure."""
    event = {"ce-specversion": "1.0", "ce-type": "t", "ce-source": "s", "ce-id": "1"}
    for value in ("", "9", "x" * 1000, "\xff"):
        for body in (v1({"image": {"b64": B64}}), b"\xff", b"null"):
            for media_type in ("application/json", "application/cloudevents+json", "application/octet-stream"):
                answer = pair.post(
                    pair.model, MODEL_PATH, body, {**event, name: value, "content-type": media_type}
                )
                assert answer.status in (200, 400, 415), (value, body[:20], media_type, answer)
    pair.check_whole()


FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20), st.just(B64)
)
KEYS = st.sampled_from(
    [
        "instances",
        "image",
        "b64",
        "parameters",
        "languages",
        "psm",
        "inputs",
        "name",
        "shape",
        "datatype",
        "data",
        "id",
    ]
) | st.text(max_size=5)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def near(anything: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Calls in which one value is replaced by another."""
    image = st.just({"b64": B64}) | st.fixed_dictionaries({"b64": anything}) | anything
    parameters = st.fixed_dictionaries({}, optional={"languages": anything, "psm": anything}) | anything
    instance = st.fixed_dictionaries({"image": image}, optional={"parameters": parameters}) | anything
    tensor = st.fixed_dictionaries(
        {key: st.just(value) | anything for key, value in TENSOR.items()}, optional={"parameters": anything}
    )
    return st.one_of(
        st.fixed_dictionaries({"instances": st.lists(instance, max_size=3)}),
        st.fixed_dictionaries(
            {"inputs": st.lists(tensor, max_size=2)}, optional={"id": anything, "parameters": anything}
        ),
        anything,
    )


NO_SERVER_ERROR = (200, 400, 404, 405, 413, 415, 422)


@FUZZ
@given(body=near(ANY_JSON) | st.binary(max_size=40), path=st.sampled_from([MODEL_PATH, V2_PATH]))
def fuzz_json(pair: Pair, body: Any, path: str) -> None:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    answer = pair.post(pair.model, path, content, JSON)
    assert answer.status in NO_SERVER_ERROR, answer


BYTES = st.binary(max_size=30)
LINES = st.sampled_from(
    [
        f"--{BOUNDARY}".encode(),
        f"--{BOUNDARY}--".encode(),
        b'Content-Disposition: form-data; name="image_file"; filename="x"',
        b'Content-Disposition: form-data; name="other"',
        b"Content-Disposition: form-data; name*=utf-8''image_file",
        b"Content-Transfer-Encoding: base64",
        b"Content-Type: image/png",
        b"",
        KNOWN,
    ]
)


@FUZZ
@given(
    body=st.lists(LINES | BYTES, max_size=8).map(b"\r\n".join) | BYTES.map(lambda junk: multipart(KNOWN + junk)),
    media_type=st.sampled_from(
        [FORM, FORM + "; charset=x", "multipart/form-data", 'multipart/form-data; boundary="']
    )
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
)
def fuzz_multipart(pair: Pair, body: bytes, media_type: str) -> None:
    answer = pair.post(pair.gateway, GATEWAY_PATH, body, {"content-type": media_type})
    assert answer.status in NO_SERVER_ERROR, answer


@FUZZ
@given(at=st.integers(0, len(KNOWN) - 1), junk=st.binary(min_size=1, max_size=8))
def fuzz_picture(pair: Pair, at: int, junk: bytes) -> None:
    """A valid picture in which some bytes are changed."""
    answer = pair.read(KNOWN[:at] + junk + KNOWN[at + len(junk) :])
    assert answer.status in NO_SERVER_ERROR, answer


@pytest.mark.parametrize("fuzz", [fuzz_json, fuzz_multipart, fuzz_picture], ids=lambda fuzz: fuzz.__name__)
@pytest.mark.fault(0, "Fuzzed: the JSON door, the multipart door, the bytes of a picture")
def test_fuzz(pair: Pair, record: Record, fuzz: Callable[[Pair], None]) -> None:
    fuzz(pair)
    record.saw(f"{fuzz.__name__.partition('_')[2]}, 150 examples", "never a 500", 0)
    record.whole(pair)
