"""Target files: one file holds a person's network and everything the live loop must know about the person.

``NAME.onnx`` keeps the description in the ONNX metadata. ``NAME.engine`` (TensorRT) begins with the magic, the
length of a JSON description (8 bytes, little endian), the description, then the plan.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from face.camera import ScaledOrthographicCamera
from face.consent import Consent
from face.errors import UserError
from face.files import write_whole
from face.parameters import EXPRESSION_SIZE, FaceParameters
from face.target_check import problem

FORMAT = 1
_METADATA_KEY = "head2head_target"
_MAGIC = b"H2HTARGET"
_SUFFIXES = (".onnx", ".engine")
PREVIEW = "preview.onnx"  # in a run's folder: how far its training is


@dataclass(frozen=True, kw_only=True)
class TargetInfo:
    """What the live loop knows of a target. Pixels are those of the target's crop, ``size`` wide and high.

    Attributes:
        name: short name, as in ``--target NAME``.
        title: name for people to read.
        profile: which network, e.g. ``compact``.
        size: height and width of the image in px.
        model_hash: the morphable model that training saw.
        identity: ``[IDENTITY_SIZE]`` coefficients.
        neutral_expression: ``[EXPRESSION_SIZE]`` coefficients of the resting face.
        neutral_gaze: ``[2]`` degrees.
        scale_mean: px per model unit.
        translation_mean, translation_std: ``[2]`` model units; the face's place over its scale.
        euler_low_deg, euler_high_deg: ``[3]`` yaw, pitch, roll seen in training.
        head_motion: ``[T, 6]`` the target's own motion at 25 fps, for the face-only mode: yaw, pitch, roll in
            degrees, px per model unit, place in px.
        provenance: who the person is and on what ground the likeness is used.
        versions: what made the file.
        portrait: a small image of the person, JPEG in base64; may be empty.
        camera_map: ``[M, 6]`` weights of ``face.camera_map.CameraMap``; may be empty.
        motion_center, motion_whitening: ``[6 + E]`` and ``[6 + E, 6 + E]``, pose and expression that training showed:
            see ``face.motion_range``; may be empty.
        teeth: ``[4]`` where teeth and tongue lie in the conditioning, ``face.mouth_parts.TeethPlacement``; empty where
            training saw none, as in targets made before there were any.
        consent: who permitted what; ``None`` in targets made before there was such a record.
        other_sizes: further sizes in px that the file has networks for, see ``face/target_sizes.py``.
    """

    name: str
    title: str
    profile: str
    size: int
    model_hash: str
    identity: list[float]
    neutral_expression: list[float]
    neutral_gaze: list[float]
    scale_mean: float
    translation_mean: list[float]
    translation_std: list[float]
    euler_low_deg: list[float]
    euler_high_deg: list[float]
    head_motion: list[list[float]]
    provenance: str
    versions: dict[str, str] = field(default_factory=dict)
    portrait: str = ""
    camera_map: list[list[float]] = field(default_factory=list)
    motion_center: list[float] = field(default_factory=list)
    motion_whitening: list[list[float]] = field(default_factory=list)
    teeth: list[float] = field(default_factory=list)
    consent: Consent | None = None
    other_sizes: list[int] = field(default_factory=list)
    format: int = FORMAT

    @property
    def label_optional(self) -> bool:
        """Whether the label "AI-generated" may be left off."""
        return self.consent is not None and self.consent.label_optional

    @property
    def sizes(self) -> list[int]:
        """All sizes that the target can be shown at, px, smallest first."""
        return sorted({self.size, *self.other_sizes})

    def at(self, size: int) -> TargetInfo:
        """The description in pixels of an image of another size."""
        factor = size / self.size
        if factor == 1:
            return self
        in_pixels = np.array([1, 1, 1, factor, factor, factor])
        center = list(self.motion_center)
        if len(center) > EXPRESSION_SIZE + 3:  # targets of before know no scale
            center[3] += math.log(factor)
        return replace(
            self, size=size, other_sizes=[other for other in self.sizes if other != size],
            scale_mean=self.scale_mean * factor, head_motion=(np.array(self.head_motion) * in_pixels).tolist(),
            motion_center=center,
        )  # fmt: skip

    def resting(self) -> FaceParameters:
        """The target at rest: looking ahead, neutral, in its usual place."""
        place = np.array(self.translation_mean) * self.scale_mean
        camera = ScaledOrthographicCamera.from_euler(np.zeros(3), self.scale_mean, place)
        return FaceParameters(
            np.array(self.identity), np.array(self.neutral_expression), camera, np.array(self.neutral_gaze)
        )

    def to_json(self) -> str:
        """Compact JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def from_json(text: str, path: Path) -> TargetInfo:
        """Read a description.

        Raises:
            UserError: it was written by another version of this program.
        """
        try:
            values = json.loads(text)
            if values.get("consent") is not None:
                values["consent"] = Consent(**values["consent"])
            info = TargetInfo(**values) if values["format"] == FORMAT else None
        except (ValueError, KeyError, TypeError, AttributeError):
            info = None
        if info is None:
            raise UserError(f"The target {path} was made by another version of this program: export it again.")
        return info


def list_targets(folder: Path) -> list[Path]:
    """Target files of a folder, one for each name: the ONNX file where there are both."""
    paths = {p.name.split(".")[0]: p for suffix in reversed(_SUFFIXES) for p in folder.glob(f"*{suffix}")
             if not p.name.endswith(".int8.onnx")}  # fmt: skip
    return [paths[name] for name in sorted(paths)]


def find_target(name: str, folders: Sequence[Path]) -> Path:
    """Path of a target given by name, looked up in ``folders``, or by file.

    A bare file name is looked for in the current folder, then in ``folders``. By name, the ONNX file is preferred:
    where an engine lies beside it, ``trt_engines.engines.runnable`` takes that if it fits. A folder is that of a run in
    training, or of ``offline.train``.

    Raises:
        UserError: there is no such target; the message names those there are.
    """
    file = Path(name)
    where = " or ".join(str(folder) for folder in folders)
    if file.suffix in _SUFFIXES:
        places = [file, *(folder / file for folder in folders if file.name == name)]
        existing = next((path for path in places if path.exists()), None)
        if existing is None:
            raise UserError(f"There is no target file {file}" + (f", nor in {where}." if len(places) > 1 else "."))
        return existing
    for folder in folders:
        for suffix in _SUFFIXES:
            if (folder / f"{name}{suffix}").exists():
                return folder / f"{name}{suffix}"
    if file.is_dir():
        for preview in (file / PREVIEW, file / "run" / PREVIEW):
            if preview.exists():
                return preview
        raise UserError(f"The folder {file} holds no {PREVIEW}: offline.train writes it after a minute of training.")
    known = ", ".join(p.name.split(".")[0] for folder in folders for p in list_targets(folder)) or "none"
    raise UserError(f"There is no target '{name}' in {where} (there: {known}); give a name or a target file.")


def read_info(path: Path, model_hash: str) -> TargetInfo:
    """Description of a target file, checked against the morphable model in use.

    Raises:
        UserError: not a target file, of another version, made for another morphable model, or damaged.
    """
    info = read_any_info(path)
    if info.model_hash != model_hash:
        raise UserError(
            f"The target {path} was made for another morphable model: export it again "
            "('python -m offline.export --remodel' if only the model is newer)."
        )
    wrong = problem(info)  # whose sizes are those of the model in use
    if wrong is not None:
        raise UserError(f"The target {path} is damaged ({wrong}): export it again.")
    return info


def read_any_info(path: Path) -> TargetInfo:
    """Description of a target file, whatever morphable model it was made for.

    Raises:
        UserError: not a target file, or of another version.
    """
    try:
        text = _engine_header(path) if path.suffix == ".engine" else _onnx_header(path)
    except OSError as error:
        raise UserError(f"Cannot read the target {path}: {error.strerror or error}.") from None
    if text is None:
        raise UserError(f"{path} is not a target file of this program: make one with 'python -m offline.export'.")
    return TargetInfo.from_json(text, path)


def _onnx_header(path: Path) -> str | None:
    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError:
        return None
    return next((p.value for p in model.metadata_props if p.key == _METADATA_KEY), None)


def _engine_header(path: Path) -> str | None:
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return None
        prefix = file.read(8)
        if len(prefix) < 8:
            return None
        (length,) = struct.unpack("<Q", prefix)
        raw = file.read(min(length, 1 << 24))
        return raw.decode("utf-8", errors="replace") if len(raw) == length else None


def read_plan(path: Path) -> bytes:
    """The TensorRT plan of an ``.engine`` target."""
    with path.open("rb") as file:
        file.seek(len(_MAGIC))
        (length,) = struct.unpack("<Q", file.read(8))
        file.seek(length, os.SEEK_CUR)
        return file.read()


def write_onnx(path: Path, model: onnx.ModelProto, info: TargetInfo) -> None:
    """Write an ONNX target, atomically."""
    kept = [p for p in model.metadata_props if p.key != _METADATA_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    entry = model.metadata_props.add()
    entry.key, entry.value = _METADATA_KEY, info.to_json()
    write_whole(path, model.SerializeToString())


def write_engine(path: Path, plan: bytes, info: TargetInfo) -> None:
    """Write a TensorRT target, atomically."""
    text = info.to_json().encode()
    write_whole(path, _MAGIC + struct.pack("<Q", len(text)) + text + plan)
