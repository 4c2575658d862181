"""How far pictures of a target are from the truth, and how faithfully they move.

Distances are of RGB in 0…255, each pixel's Euclidean, as the paper has them (APD). Faces are compared as our own
tracker and fit see them in both videos (AED, ARD).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity

from face.fit_batch import fit_video
from face.landmarks import SURFACE_COUNT, Landmarks
from face.morphable import MorphableModel
from face.parameters import UNITS, FaceParameters, gaze_rotation
from face.tracking import FaceTracker
from offline.dataset import part_window
from offline.flow import carried, estimated_flow


@dataclass(frozen=True)
class PictureScores:
    """Pictures against the truth.

    Attributes:
        apd, masked_apd, mouth_apd: mean distance over the picture, inside the NMFC, in the box about the mouth.
        ssim: structural similarity (Wang et al. 2004), 1 for the same picture.
        motion: mean change from frame to frame, over the truth's.
        warping: mean distance of a picture from the one before, moved along the truth's optical flow.
        warping_of_truth: the same of the truth itself: what the flow leaves unexplained.
    """

    apd: float
    masked_apd: float
    mouth_apd: float
    ssim: float
    motion: float
    warping: float
    warping_of_truth: float


@dataclass(frozen=True)
class FaceScores:
    """Faces against those they should be like, where both are seen.

    Attributes:
        aed: sum over the units of the expressions' absolute difference.
        ard_deg: mean absolute difference of yaw, pitch and roll.
        gaze_deg: angle between the gazes.
        jitter: mean second difference of the landmarks over time, over the other's.
        unseen: share of the pictures in which no face was found.
    """

    aed: float
    ard_deg: float
    gaze_deg: float
    jitter: float
    unseen: float


def distances(pictures: np.ndarray, truth: np.ndarray) -> np.ndarray:  # both [..., 3] uint8
    """Each pixel's distance, ``[...]`` float32."""
    return np.linalg.norm(pictures.astype(np.float32) - truth, axis=-1)


def score_pictures(
    pictures: np.ndarray,  # [T, H, W, 3] uint8
    truth: np.ndarray,  # [T, H, W, 3] uint8
    conditionings: np.ndarray,  # [T, H, W, 6] uint8
    mouths: np.ndarray,  # [T, 2] px
) -> PictureScores:
    """Compare a video with the truth, frame by frame."""
    distance = distances(pictures, truth)
    boxes = [d[part_window(mouth, truth.shape[1])] for d, mouth in zip(distance, mouths, strict=True)]
    change = [np.abs(np.diff(v.astype(np.float32), axis=0)).mean() for v in (pictures, truth)]
    similar = [structural_similarity(a, b, channel_axis=-1) for a, b in zip(pictures, truth, strict=True)]
    flows = [estimated_flow(now, earlier) for earlier, now in itertools.pairwise(truth)]
    return PictureScores(
        apd=float(distance.mean()),
        masked_apd=float(distance[conditionings[..., :3].any(-1)].mean()),
        mouth_apd=float(np.mean(boxes)),
        ssim=float(np.mean(similar)),
        motion=float(change[0] / change[1]),
        warping=warping_error(pictures, flows),
        warping_of_truth=warping_error(truth, flows),
    )


def warping_error(pictures: np.ndarray, flows: Sequence[np.ndarray]) -> float:
    """Mean distance of each picture of ``[T, H, W, 3]`` uint8 from the one before, brought there by a flow.

    Each flow ``[H, W, 2]`` goes from a picture to the one before it; the first picture has none.
    """
    errors = [
        distances(now, carried(earlier, flow)).mean()
        for (earlier, now), flow in zip(itertools.pairwise(pictures), flows, strict=True)
    ]
    return float(np.mean(errors))


def watch(pictures: np.ndarray, rate: float) -> list[Landmarks | None]:  # [T, H, W, 3] uint8
    """What the tracker sees in a video."""
    tracker = FaceTracker()
    return [tracker.track(picture, round(1000 * k / rate)) for k, picture in enumerate(pictures)]


def score_faces(
    model: MorphableModel,
    identity: np.ndarray,  # [IDENTITY_SIZE] of the person shown
    seen: Sequence[Landmarks | None],
    wanted: Sequence[Landmarks | None],
) -> FaceScores:
    """Compare the faces that the tracker saw in a video with those in another of the same person."""
    found, like = (fit_video(model, video, identity=identity) for video in (seen, wanted))
    return _compare(found, like, _jitter(seen) / _jitter(wanted))


def score_driven(
    model: MorphableModel,
    identity: np.ndarray,  # [IDENTITY_SIZE] of the person shown
    seen: Sequence[Landmarks | None],
    drawn: Sequence[FaceParameters],
) -> FaceScores:
    """Compare the faces that the tracker saw in a target's pictures with what the target was told to do.

    Needs no truth, so that it fits cross-reenactment; tracker's and fit's own errors are in it.
    """
    told = [_as_seen(model, one) for one in drawn]
    return _compare(fit_video(model, seen, identity=identity), drawn, _jitter(seen) / _jitter(told))


def _as_seen(model: MorphableModel, parameters: FaceParameters) -> Landmarks:
    """What a perfect tracker would see; the irises, which move with the gaze, stay at rest."""
    points = model.landmarks_of(model.shape(parameters.identity, parameters.expression))
    return Landmarks(parameters.camera.project(points)[:, :2], parameters.expression[UNITS], 0, 0)


def _compare(
    found: Sequence[FaceParameters | None], wanted: Sequence[FaceParameters | None], jitter: float
) -> FaceScores:
    pairs = [(a, b) for a, b in zip(found, wanted, strict=True) if a is not None and b is not None]
    return FaceScores(
        aed=float(np.mean([np.abs(a.expression - b.expression).sum() for a, b in pairs])),
        ard_deg=float(np.mean([np.abs(a.camera.euler_deg - b.camera.euler_deg) for a, b in pairs])),
        gaze_deg=float(np.mean([_angle_deg(a.gaze, b.gaze) for a, b in pairs])),
        jitter=jitter,
        unseen=sum(one is None for one in found) / len(found),
    )


def _angle_deg(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two gazes ``[2]`` degrees."""
    return float(np.degrees(np.arccos(np.clip(gaze_rotation(a)[:, 2] @ gaze_rotation(b)[:, 2], -1, 1))))


def _jitter(seen: Sequence[Landmarks | None]) -> float:
    """Mean second difference of the landmarks over the inter-ocular distance."""
    return float(np.mean(list(_second_differences(seen))))


def _second_differences(seen: Sequence[Landmarks | None]) -> Iterator[float]:
    for a, b, c in zip(seen, seen[1:], seen[2:], strict=False):
        if a is not None and b is not None and c is not None:
            points = [one.points[:SURFACE_COUNT] for one in (a, b, c)]
            yield float(np.abs(points[0] - 2 * points[1] + points[2]).mean() / b.interocular_px)
