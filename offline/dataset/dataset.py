"""What ``offline/reconstruct/reconstruction.py`` wrote, as sequences for training and takes for testing."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from face.camera import ScaledOrthographicCamera
from face.conditioning import CpuConditioning
from face.errors import UserError
from face.morphable import MorphableModel
from face.mouth_parts import TeethPlacement
from face.nmfc import NmfcRenderer
from face.parameters import FaceParameters
from offline.dataset.augmentation import Similarity
from offline.dataset.mouth_and_eye_windows import PART_BOX, eye_middles, mouth_middles
from offline.flow.optical_flow import FlowKind, composite_flow, estimated_flow, face_flow
from offline.flow.refinement_unet import FlowNetwork


@dataclass(frozen=True)
class Clip:
    """Consecutive frames of one take.

    Attributes:
        frames: ``[T, H, W, 3]`` uint8 RGB.
        conditionings: ``[T + 2, H, W, 6]`` uint8, from two frames earlier on; the take's first is repeated
            where there is none earlier.
        mouths, eyes: ``[T, 2]`` float64, middle of the mouth, and of both eyes, in px.
        faces: the fitted face of each frame.
        first: number in the dataset of the first of ``frames``.
        moved: how its images are moved, if they are.
    """

    frames: np.ndarray
    conditionings: np.ndarray
    mouths: np.ndarray
    eyes: np.ndarray
    faces: tuple[FaceParameters, ...]
    first: int
    moved: Similarity | None

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """How much each pixel counts, ``[T, H, W]`` float32: more in the face, most at mouth and eyes."""
        pairs = zip(self.conditionings[2:], self.mouths, strict=True)
        return np.stack([_weight(conditioning, mouth) for conditioning, mouth in pairs])


class Dataset:
    """A dataset folder, memory-mapped.

    Attributes:
        folder: where it lies.
        model: the morphable model that it was made with.
        manifest: the folder's ``manifest.json``.
        parameters: arrays of ``parameters.npz``.
        frames: ``[N, H, W, 3]`` uint8, conditionings: ``[N, H, W, 6]`` uint8.
        camera_map: ``[M, 6]`` float64, the person's ``CameraMap``.
        teeth: where the person's teeth lie, ``None`` where the conditionings show none.
        mouths, eyes: ``[N, 2]`` float64, middle of the mouth, and of both eyes, in px.
        fingerprint: tells datasets apart.
        train, test: takes as half-open ranges of frame numbers.

    Raises:
        UserError: there is no dataset, or it was made with another morphable model.
    """

    def __init__(self, folder: Path, model: MorphableModel) -> None:
        self.folder, self.model = folder, model
        try:
            manifest = (folder / "manifest.json").read_text()
            self.manifest = json.loads(manifest)
            self.frames = np.load(folder / "frames.npy", mmap_mode="r")
            self.conditionings = np.load(folder / "conditioning.npy", mmap_mode="r")
            with np.load(folder / "parameters.npz") as data:
                self.parameters = dict(data)
            self.camera_map = self.parameters["camera_map"]
            self.teeth = TeethPlacement.of(self.parameters.get("teeth", ()))
        except (OSError, ValueError, KeyError):
            raise UserError(f"{folder} is not a dataset: make one with 'python -m offline.reconstruct'.") from None
        if self.manifest["model_hash"] != model.hash:
            raise UserError(
                f"{folder} was made with another morphable model: run 'python -m offline.reconstruct' again."
            )
        take = self.parameters["take"]
        bounds = np.flatnonzero(np.diff(take, prepend=-1, append=-1))
        ranges = [(int(a), int(b)) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
        held_out = set(self.manifest["held_out_takes"])
        self.train = [r for r in ranges if take[r[0]] not in held_out]
        self.test = [r for r in ranges if take[r[0]] in held_out]
        self.fingerprint = hashlib.sha256(manifest.encode()).hexdigest()
        self.mouths = mouth_middles(model, self.parameters)
        self.eyes = eye_middles(model, self.parameters)

    def draw(self, rng: np.random.Generator, length: int, count: int) -> list[tuple[int, int, int]]:
        """Random stretches of the training takes, as ``sequence`` takes them, all of one length.

        A take is drawn by its share of the frames. Where the first one drawn is shorter than ``length``, all are.
        """
        lengths = np.array([last - first for first, last in self.train])
        leading = int(rng.choice(len(lengths), p=lengths / lengths.sum()))
        length = min(length, int(lengths[leading]))
        shares = np.where(lengths >= length, lengths, 0)
        others = rng.choice(len(lengths), size=count - 1, p=shares / shares.sum())
        spans = []
        for take in (leading, *others):
            first, last = self.train[take]
            start = int(rng.integers(first, last - length + 1))
            spans.append((start, start + length, first))
        return spans

    def sequence(self, start: int, stop: int, take_start: int, moved: Similarity | None = None) -> Clip:
        """Frames ``start … stop-1`` of the take that begins at ``take_start``, moved if a move is given."""
        numbers = np.maximum(np.arange(start - 2, stop), take_start)
        here = slice(start, stop)
        frames, conditionings = self.frames[here], self.conditionings[numbers]
        mouths, eyes = self.mouths[here], self.eyes[here]
        faces = tuple(self.face(k) for k in range(start, stop))
        if moved is not None:
            frames = np.stack([moved.image(frame) for frame in frames])
            conditionings = np.stack([self._conditioning.render(moved.face(self.face(k))) for k in numbers])
            mouths, eyes = moved.points(mouths), moved.points(eyes)
            faces = tuple(moved.face(face) for face in faces)
        return Clip(frames, conditionings, mouths, eyes, faces, start, moved)

    @functools.cached_property
    def _conditioning(self) -> CpuConditioning:
        return CpuConditioning(self.model, self.frames.shape[1], self.teeth)  # only moved sequences need it

    @functools.cached_property
    def _renderer(self) -> NmfcRenderer:
        return NmfcRenderer(self.model)  # only flows need it

    @functools.cached_property
    def _network(self) -> FlowNetwork:
        return FlowNetwork.load()

    def flow_path(self, kind: FlowKind, stride: int) -> Path:
        """Where flows to the frame ``stride`` earlier are stored; see ``offline/flow/stored_flows.py``."""
        return self.folder / "flows" / f"{kind.value}-{stride}.npy"

    @functools.lru_cache  # noqa: B019  # a dataset lives as long as its run
    def _stored_flows(self, kind: FlowKind, stride: int) -> np.ndarray | None:
        path = self.flow_path(kind, stride)
        return np.load(path, mmap_mode="r") if path.exists() else None

    def face(self, number: int) -> FaceParameters:
        """The fitted face of a frame."""
        p = self.parameters
        camera = ScaledOrthographicCamera(p["rotation"][number], float(p["scale"][number]), p["translation"][number])
        return FaceParameters(p["identity"], p["expression"][number], camera, p["gaze"][number])

    def aligned_face(self, number: int) -> FaceParameters:
        """The face of a frame with the camera that its own pixels agree with, which is not known live."""
        p = self.parameters
        rotation, scale, translation = (p[f"aligned_{name}"][number] for name in ("rotation", "scale", "translation"))
        return replace(self.face(number), camera=ScaledOrthographicCamera(rotation, float(scale), translation))

    def flow(self, clip: Clip, now: int, earlier: int, kind: FlowKind) -> np.ndarray:
        """Flow ``[H, W, 2]`` float32 px from a frame of a clip to an earlier one: as stored, else computed now."""
        stored = self._stored_flows(kind, now - earlier)
        if stored is not None:
            flow = stored[clip.first + now].astype(np.float32)
            return flow if clip.moved is None else clip.moved.flow(flow)
        estimate = estimated_flow(clip.frames[now], clip.frames[earlier])
        if kind is FlowKind.DIS:
            return estimate
        if kind is FlowKind.LEARNED:
            return self._network.refine(clip.frames[now], clip.frames[earlier], estimate)
        on_face, inside = face_flow(self._renderer, clip.faces[now], clip.faces[earlier], len(estimate))
        return composite_flow(on_face, inside, estimate)


def _weight(conditioning: np.ndarray, mouth: np.ndarray) -> np.ndarray:
    """How much each pixel counts, ``[H, W]`` float32."""
    size = len(conditioning)
    weight = np.ones((size, size), np.float32)
    weight[conditioning[..., :3].any(-1)] += 1.0
    eyes = cv2.dilate(conditioning[..., 3], np.ones((3, 3), np.uint8), iterations=max(1, size // 64)) > 0
    weight[eyes] += 3.0
    x, y = mouth
    half = PART_BOX * size / 2
    rows, columns = np.ogrid[:size, :size]
    weight[(abs(rows + 0.5 - y) < half * 0.7) & (abs(columns + 0.5 - x) < half)] += 2.5
    return weight / np.float32(1.6)
