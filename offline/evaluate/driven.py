"""How far a target driven by other people's videos does what its conditioning says."""

from __future__ import annotations

import base64
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np

from face.camera import ScaledOrthographicCamera
from face.conditioning import CpuConditioning
from face.morphable import MorphableModel
from face.retarget import Mode
from face.target import TargetInfo, read_info
from offline.evaluate.background import Silhouette, heads_of, score_background
from offline.evaluate.face_metrics import score_driven, watch
from offline.evaluate.identity import FaceRecognizer
from offline.evaluate.report import write_json, write_text
from offline.reenact import reenact
from offline.rollout import onnx_network, roll_out

_RATE = 25.0  # images a second, as the tracker takes them
_UNTIL_AT_REST = 10  # frames
_OUTLINES = 5  # of a target, of heads turned by more and more


def evaluate_driven(
    model: MorphableModel,
    target: Path,
    sources: list[Path],
    report: Path | None,
    recognizer: FaceRecognizer | None = None,
) -> dict[str, dict[str, float]]:
    """Scores of a target driven by each of some videos, printed, and written to a folder if given.

    Raises:
        UserError: a video cannot be read, or the file is no target for this model.
    """
    info = read_info(target, model.hash)
    reference = _portrayed(info, recognizer) if recognizer else None
    silhouettes = _silhouettes(model, target, info)
    scores: dict[str, dict[str, float]] = {}
    for source in sources:
        driven = list(reenact(model, target, info, source, Mode.HEAD))
        images = np.stack([frame.output for frame in driven])
        landmarks = watch(images, _RATE)
        rendered = [frame.source.parameters for frame in driven]
        heads = heads_of(silhouettes, [face.camera for face in rendered])
        scores[source.name] = asdict(score_driven(model, np.array(info.identity), landmarks, rendered)) | asdict(
            score_background(images, heads)
        )
        if recognizer and reference is not None:
            scores[source.name]["identity"] = recognizer.similarity(images, landmarks, reference)
    names = list(next(iter(scores.values())))
    rows = [f"{'driven by':<24}" + "".join(f"{name:>10}" for name in names)]
    rows += [f"{video:<24}" + "".join(f"{row[name]:>10.3f}" for name in names) for video, row in scores.items()]
    print("\n".join(rows))
    if report:
        report.mkdir(parents=True, exist_ok=True)
        write_text(report / "driven.txt", "\n".join(rows))
        write_json(report / "driven.json", scores)
    return scores


def _silhouettes(model: MorphableModel, target: Path, info: TargetInfo) -> list[Silhouette]:
    """The outlines of a target that is at rest but for its yaw, at some between those it was seen at."""
    renderer, network = CpuConditioning(model, info.size), onnx_network(target)
    rest, silhouettes = info.resting(), []
    for yaw_deg in np.linspace(info.euler_low_deg[0], info.euler_high_deg[0], _OUTLINES):
        euler_deg = np.array([yaw_deg, 0.0, 0.0])
        camera = ScaledOrthographicCamera.from_euler(euler_deg, rest.camera.scale, rest.camera.translation)
        conditioning = renderer.render(replace(rest, camera=camera))
        *_, image = roll_out(network, [conditioning] * _UNTIL_AT_REST)
        silhouettes.append(Silhouette(image, conditioning, camera))
    return silhouettes


def _portrayed(info: TargetInfo, recognizer: FaceRecognizer) -> np.ndarray | None:
    """The embedding of the face on a target's image; ``None`` if none is seen."""
    portrait = read_portrait(info)
    (face,) = watch(portrait[None], _RATE)
    return None if face is None else recognizer.embedding(portrait, face)


def read_portrait(info: TargetInfo) -> np.ndarray:
    """The image of the person that a target carries, ``[H, W, 3]`` uint8 RGB."""
    image = cv2.imdecode(np.frombuffer(base64.b64decode(info.portrait), np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
