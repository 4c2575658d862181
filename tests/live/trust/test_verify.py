"""Label, credentials and the verify command, on files by real encoders."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import REPOSITORY
from watermark_attacks import coded, jpeg, resized, screenshot

from face.consent import Consent
from face.errors import UserError
from face.video import VideoReader, VideoWriter
from live.trust import credentials
from live.trust.label import Label, LabelSettings, Place
from live.trust.label_detector import read_label
from live.trust.marking import Marking
from live.trust.signing import Signing
from live.verify import main

pytestmark = pytest.mark.fast

RECORD = Consent(subject="nobody", footage="rendered", permission="ours", permitted_by="us", permitted_on="2026-11-27")


@pytest.fixture(scope="module")
def clean() -> list[np.ndarray]:
    with VideoReader(REPOSITORY / "live" / "sources" / "studio_noor.mp4") as video:
        return [cv2.resize(image, (256, 256)) for (image, _), _ in zip(video, range(12), strict=False)]


def write(path: Path, images: list[np.ndarray]) -> Path:
    with VideoWriter(path, 25) as writer:
        for image in images:
            writer.write(image)
    return path


@pytest.fixture(scope="module")
def marked(clean, module_target):
    marking = Marking()
    return [marking.apply(image, module_target) for image in clean], marking.session_id


@pytest.mark.parametrize(
    "attack",
    [lambda x: coded(x, "libvpx", 500), lambda x: resized(x, 0.75), lambda x: jpeg(x, 70), lambda x: screenshot(x, 2)],
    ids=["VP8", "75 %", "JPEG 70", "screenshot"],
)
@pytest.mark.parametrize("place", Place)
def test_the_label_stays_legible(attack, place, clean):
    images = [image.copy() for image in clean[:4]]
    for image in images:
        Label(LabelSettings(place=place)).apply(image)
    assert read_label(attack(images)) is not None and read_label(clean[:4]) is None


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_the_label_is_legible_on_any_ground(gray):
    images = [np.full((256, 256, 3), gray, np.uint8) for _ in range(4)]
    for image in images:
        Label(LabelSettings()).apply(image)
    assert read_label(coded(images, "libvpx", 500)) is not None


def test_the_label_is_small_and_keeps_to_its_corner(clean):
    image = clean[0].copy()
    Label(LabelSettings(place=Place.TOP_RIGHT)).apply(image)
    changed = np.argwhere((image != clean[0]).any(-1))
    (top, left), (bottom, right) = changed.min(0), changed.max(0)
    assert bottom < 26 and left > 160 and (bottom - top) * (right - left) < 0.03 * 256 * 256


def test_a_label_that_does_not_fit_is_a_sentence():
    with pytest.raises(UserError, match="does not fit"):
        Label(LabelSettings("words " * 40)).apply(np.zeros((256, 256, 3), np.uint8))
    with pytest.raises(UserError, match="needs a text"):
        LabelSettings(" ")


def test_only_a_consent_record_takes_the_label_off(clean, target_info):
    marking = Marking(without_label=True)
    strict, lenient = (replace(target_info, consent=replace(RECORD, label_optional=x)) for x in (False, True))
    for target in (target_info, strict):  # without a record, and with one that does not say so
        with pytest.raises(UserError, match="does not allow --no-label"):
            marking.check(target)
        assert read_label([marking.apply(clean[0], target)]) is not None
    marking.check(lenient)
    assert read_label([marking.apply(clean[0], lenient)]) is None
    assert read_label([Marking().apply(clean[0], lenient)]) is not None


def test_verify_reads_a_video(marked, tmp_path, capsys):
    images, session_id = marked
    path = write(tmp_path / "a.mp4", images)
    assert main([str(path)]) == 0
    words = capsys.readouterr().out
    assert f"synthetic, from session {session_id}" in words and "Label: found" in words
    assert main([str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["generated"] and found["watermark"]["session_id"] == session_id and found["label"] > 0.7


def test_verify_reads_an_image_from_an_address(marked, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "a.jpg"), marked[0][0][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert main([f"{address}/a.jpg"]) == 0 and marked[1] in capsys.readouterr().out
        assert main([f"{address}/b.jpg"]) == 2 and "Cannot read" in capsys.readouterr().err
        server.shutdown()


def test_verify_finds_nothing_in_a_film(clean, tmp_path, capsys):
    assert main([str(write(tmp_path / "a.mp4", clean[:3]))]) == 1
    assert "Nothing proves" in capsys.readouterr().out


def test_what_cannot_be_read_is_a_sentence(tmp_path, capsys):
    (tmp_path / "a.mp4").write_text("no video")
    for path in (tmp_path / "a.mp4", tmp_path / "none.mp4"):
        assert main([str(path)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_credentials_are_read_back_and_show_changes(marked, tmp_path, capsys):
    pytest.importorskip("c2pa")
    path = write(tmp_path / "a.mp4", marked[0])
    assert credentials.read_credentials(path) is None
    pair = credentials.own_certificate(tmp_path / "keys")
    assert credentials.own_certificate(tmp_path / "keys") == pair and pair[1].stat().st_mode & 0o077 == 0
    credentials.check_signing(*pair)
    credentials.sign(path, marked[1], *pair)
    read = credentials.read_credentials(path)
    assert read is not None and read.state == "valid" and read.generated and read.session_id == marked[1]
    assert main([str(path)]) == 0 and "a generated video, signed by Head2Head" in capsys.readouterr().out
    content = bytearray(path.read_bytes())
    content[-1500] ^= 1
    path.write_bytes(content)
    changed = credentials.read_credentials(path)
    assert changed is not None and changed.state == "invalid"


def test_a_key_of_another_certificate_is_refused(tmp_path):
    pytest.importorskip("c2pa")
    (certificate, _), (_, key) = (credentials.own_certificate(tmp_path / name) for name in "ab")
    with pytest.raises(UserError, match="does not match"):
        credentials.check_signing(certificate, key)
    with pytest.raises(UserError, match="Cannot read"):
        credentials.check_signing(key, key)


def test_without_the_package_credentials_are_not_checked(marked, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    assert main([str(write(tmp_path / "a.mp4", marked[0]))]) == 0
    assert "C2PA: not checked" in capsys.readouterr().out


def test_half_of_a_certificate_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="give both"):
        Signing(tmp_path / "certificate.pem", None)


def test_a_recording_is_signed_with_the_users_certificate(marked, tmp_path):
    pytest.importorskip("c2pa")
    pair = credentials.own_certificate(tmp_path / "keys")
    path = write(tmp_path / "a.mp4", marked[0])
    Signing(*pair).sign(path, marked[1])
    read = credentials.read_credentials(path)
    assert read is not None and read.session_id == marked[1]
