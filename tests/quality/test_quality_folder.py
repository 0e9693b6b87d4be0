"""Pictures of one's own with their texts, in the forms in which public sets keep them."""

from __future__ import annotations

from pathlib import Path

import pytest

from quality import export, folder
from quality.lanes import Job
from quality.page import Page

PAGE_XML = """<?xml version="1.0"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
  <Page imageFilename="images/a.tif" imageWidth="10" imageHeight="10">
    <TextRegion id="r"><TextLine id="l1">
      <Word id="w1"><TextEquiv><Unicode>not</Unicode></TextEquiv></Word>
      <TextEquiv><Unicode>First line</Unicode></TextEquiv>
    </TextLine><TextLine id="l2">
      <Word id="w2"><TextEquiv><Unicode>Second</Unicode></TextEquiv></Word>
      <Word id="w3"><TextEquiv><Unicode>line</Unicode></TextEquiv></Word>
    </TextLine></TextRegion>
  </Page>
</PcGts>"""


def test_each_folder_with_texts_is_a_set(tmp_path: Path) -> None:
    (tmp_path / "receipts").mkdir()
    for name in ("b.png", "a.JPG", "without.png", "receipts/c.tif"):
        (tmp_path / name).write_bytes(b"picture")
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b.txt").write_text("two")
    (tmp_path / "b.gold.txt").write_text("gold")
    (tmp_path / "receipts" / "c.txt").write_text("\ufeffthree", encoding="utf-8")
    found = folder.samples(tmp_path)
    texts = {name: [sample.page("deu").text for sample in some] for name, some in found.items()}
    assert texts == {tmp_path.name: ["one", "gold"], "receipts": ["three"]}
    assert found["receipts"][0].page("deu") == Page(b"picture", "three", "deu")


def test_page_xml_names_its_picture_and_holds_its_lines(tmp_path: Path) -> None:
    for name in ("images", "truth"):
        (tmp_path / "book" / name).mkdir(parents=True)
    (tmp_path / "book" / "images" / "a.tif").write_bytes(b"picture")
    (tmp_path / "book" / "truth" / "a.xml").write_text(PAGE_XML)
    (tmp_path / "book" / "mets.xml").write_text("<mets/>")
    (tmp_path / "book" / "broken.xml").write_text("<")
    found = folder.samples(tmp_path)
    assert list(found) == ["book/truth"]
    assert found["book/truth"][0].page("eng") == Page(b"picture", "First line\nSecond line")


def test_a_folder_without_texts_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"picture")
    with pytest.raises(FileNotFoundError, match="has a text beside it"):
        folder.samples(tmp_path)


def test_written_pages_are_read_again_as_data(tmp_path: Path) -> None:
    export.write([Job("tables", 7, lambda: Page(b"\x89PNG", "one\ntwo"))], tmp_path)
    assert folder.samples(tmp_path)["tables"][0].page("eng") == Page(b"\x89PNG", "one\ntwo\n")
