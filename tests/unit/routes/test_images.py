"""The routes of the sample: the documents of items, and the items of uploads."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fakes import raising
from PIL import Image

from routes.images import Images, ImageUploads
from service import Context, DeleteItem, Index, Reject, Skip, UpdateItem
from service.testing import insert, modify, remove, run, upload


class NoSuchKey(Exception):
    pass


def s3(body: bytes | None, **answer: Any) -> Any:
    """Return a fake S3 client with one object, or with none."""

    def get_object(Bucket: str, Key: str) -> Any:
        if body is None:
            raise NoSuchKey
        return {"Body": io.BytesIO(body), "ContentLength": len(body), **answer}

    return SimpleNamespace(get_object=get_object, exceptions=SimpleNamespace(NoSuchKey=NoSuchKey))


def picture(form: str = "PNG", **options: Any) -> bytes:
    body = io.BytesIO()
    Image.new("RGB", (3, 2)).save(body, form, **options)
    return body.getvalue()


def document(item: dict[str, Any]) -> Any:
    (action,) = run(Images(), insert({"id": "a", **item}))
    assert isinstance(action, Index)
    return action.document


def created(body: bytes | None, **answer: Any) -> dict[str, Any]:
    (action,) = run(ImageUploads(), upload("a b.png"), Context(s3=s3(body, **answer)))
    assert isinstance(action, UpdateItem)
    assert action.item["id"] == "a b.png"
    assert action.create
    return action.item["metadata"]


def test_what_people_say_stands_on_top_and_all_else_under_metadata():
    item = {"title": "T", "description": "D", "caption": "C", "metadata": {"width": 1}, "other": [1, {"x": None}]}
    assert document(item) == {
        "title": "T",
        "description": "D",
        "caption": "C",
        "metadata": {"width": 1, "other": [1, {"x": None}]},
    }


def test_metadata_that_is_no_map_is_kept_too():
    assert document({"metadata": "text"}) == {"metadata": {"metadata": "text"}}


def test_a_title_that_is_no_text_stands_under_metadata_where_any_type_fits():
    assert document({"title": {"en": "Dusk"}, "caption": None}) == {
        "metadata": {"title": {"en": "Dusk"}, "caption": None}
    }


@pytest.mark.parametrize("value", ["x" * 40_000, "日" * 11_000, b"\xff" * 40_000, ["y" * 20_000] * 2])
def test_an_attribute_that_is_too_long_for_a_term_is_stored_and_the_rest_is_searched(value):
    found = document({"text": value, "short": 1})
    assert found == {"metadata": {"short": 1}, "large": {"text": value}}


def test_what_the_service_marks_items_with_is_in_no_document():
    assert document({"_streamdex": "55AE"}) == {"metadata": {}}


def test_a_change_replaces_and_a_removal_deletes():
    (changed,) = run(Images(), modify({"id": "a"}, {"id": "a", "title": "New"}))
    assert changed == Index({"title": "New", "metadata": {}})
    assert [type(action).__name__ for action in run(Images(), remove({"id": "a"}))] == ["Delete"]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_format_and_dimensions_are_found_in_every_usual_format(form):
    found = created(picture(form), ContentType="image/x")
    assert {name: found[name] for name in ("format", "width", "height", "content_type")} == {
        "format": form,
        "width": 3,
        "height": 2,
        "content_type": "image/x",
    }


def test_exif_is_text_and_numbers_alone():
    exif = Image.Exif()
    exif[0x010F] = "Maker\0"
    exif[0x0112] = 6
    exif[0x011A] = 72.5
    exif[0x9286] = b"\0binary"
    exif[0x010E] = "  "
    found = created(picture("JPEG", exif=exif))["exif"]
    assert found == {"Make": "Maker", "Orientation": 6, "XResolution": 72.5}
    json.dumps(found)


def test_an_image_without_exif_has_none():
    assert "exif" not in created(picture())


@pytest.mark.parametrize("body", [b"", b"hello", picture()[:30], b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_is_no_image_is_rejected(body):
    with pytest.raises(Reject, match="not an image"):
        created(body)


def test_without_pillow_the_reason_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(Reject, match=r"pip install 'streamdex\[images\]'"):
        created(b"x")


def test_an_upload_that_is_gone_is_skipped():
    with pytest.raises(Skip, match="deleted before it was read"):
        created(None)


def test_an_image_that_is_larger_than_the_setting_is_rejected_unread():
    route = ImageUploads(image_bytes=10)
    with pytest.raises(Reject, match="image_bytes=10"):
        run(route, upload("a"), Context(s3=s3(picture())))


def test_what_s3_says_is_left_to_the_service():
    client = s3(None)
    client.get_object = raising(ClientError({"Error": {"Code": "SlowDown"}}, "GetObject"))
    with pytest.raises(ClientError):
        run(ImageUploads(), upload("a"), Context(s3=client))


def test_a_deletion_removes_the_item():
    assert run(ImageUploads(), upload("a b.png", "ObjectDeleted")) == [DeleteItem({"id": "a b.png"})]
