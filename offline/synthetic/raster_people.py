"""Synthetic people with exact truth: any seed a person, any parameters an image. Fast, for tests and pre-training.

The demo people whom users see are path-traced (``offline/synthetic/blender``); these are drawn in milliseconds from the
morphable model alone, and every image comes with the parameters, landmarks, NMFC and flow that made it.

    python -m offline.people OUT.mp4 --seed 3 --frames 100     a video with OUT.npz, its truth
    python -m offline.people OUT.png --sheet                   a contact sheet of twelve people
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from face.camera import ScaledOrthographicCamera
from face.files import atomic, check_output_file
from face.landmarks import INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from face.morphable import MorphableModel, Part
from face.parameters import FaceParameters, gaze_rotation, of_units
from face.raster import interpolate, rasterize, vertex_normals
from face.video import VideoWriter
from offline.cli_errors import one_sentence
from offline.image_file import write_image
from offline.synthetic.appearance import (
    inside_loop,
    sample_appearance,
    sample_identity,
    smooth_line,
    smooth_loop,
    value_noise,
)
from offline.synthetic.motion import FPS, Motion, natural_motion

SUPERSAMPLING = 2
_NECK = np.array([0.0, -1.9, -1.2])  # model units below and behind the eyes: where the head turns
_IRIS_RADIUS = 0.46  # of the eyeball's radius: 5.6 mm of 12.1 mm
_PUPIL_RADIUS = 0.19


class Person:
    """One synthetic person who can be drawn with any expression, pose and gaze.

    Args:
        model: the morphable model.
        seed: decides shape and appearance.
        identity: shape to use in place of the seed's, ``[IDENTITY_SIZE]``.
        painted: draw lips and brows, for which the model's landmarks must be known; off only while the model
            is being built.
    """

    def __init__(
        self, model: MorphableModel, seed: int, identity: np.ndarray | None = None, painted: bool = True
    ) -> None:
        rng = np.random.default_rng(seed)
        self.model = model
        sampled = sample_identity(rng)
        self.identity = sampled if identity is None else identity
        self.appearance = sample_appearance(rng)
        self._mean_fine = model.subdivision @ model.mean
        parts = np.zeros(len(self._mean_fine), np.uint8)
        parts[model.triangles.ravel()] = np.repeat(model.triangle_parts, 3)
        self.vertex_parts = parts
        self._scalp = self._grow_scalp()
        # Strands of long hair hang over the face: these people wear theirs short or tied back. Lashes are cards that
        # want a texture with holes: as solid bands they would hide the lids.
        self._triangles = model.triangles[~np.isin(model.triangle_parts, (Part.HAIR, Part.LASHES))]
        self._hair_shell = (
            vertex_normals(self._mean_fine, model.triangles) * (self._scalp * self.appearance.hair_thickness)[:, None]
        )
        self._albedo, self._gloss = self._paint(seed, painted)
        self._backdrop_cache: dict[tuple[int, int], np.ndarray] = {}

    def _grow_scalp(self) -> np.ndarray:
        """How much of each skin vertex is scalp, 0…1 ``[V']``: behind a plane from the forehead to the nape."""
        mean = self._mean_fine
        wave = 0.1 * (value_noise(mean, 3, self.appearance.backdrop_seed) - 0.5)
        above = mean[:, 1] - (self.appearance.hairline + 0.95 * mean[:, 2]) + wave + 0.12 * np.abs(mean[:, 0])
        ear = np.clip((np.abs(mean[:, 0]) - 0.74) / 0.03, 0, 1) * (np.abs(mean[:, 1] + 0.1) < 0.5)
        return np.clip(above / 0.1, 0, 1) * (1 - ear) * (self.vertex_parts == Part.SKIN)

    def _paint(self, seed: int, painted: bool) -> tuple[np.ndarray, np.ndarray]:
        """Albedo ``[V', 3]`` (linear RGB) and gloss ``[V']`` of each vertex."""
        appearance, mean, parts = self.appearance, self._mean_fine, self.vertex_parts
        albedo = np.tile(appearance.skin, (len(mean), 1))
        gloss = np.full(len(mean), 0.22)
        skin = parts == Part.SKIN
        mottle = value_noise(mean, 9, seed) - 0.5
        fine = value_noise(mean, 42, seed + 1) - 0.5
        albedo *= 1 + (0.10 * mottle + 0.08 * fine)[:, None] * [0.6, 1, 1]
        albedo *= 1 - appearance.freckles * (fine > 0.28)[:, None] * [0.4, 0.8, 1]
        for x in (-0.45, 0.45):  # blood in the cheeks
            near = np.exp(-(((mean[:, :2] - [x, -0.42]) / [0.22, 0.2]) ** 2).sum(1))
            albedo *= 1 - near[:, None] * [0.0, 0.16, 0.14]
        if painted:
            self._paint_features(albedo, gloss, mean, skin)
        collar = np.clip((-1.5 - 0.3 * np.abs(mean[:, 0]) - mean[:, 1]) / 0.05 + 0.5, 0, 1) * skin
        albedo += collar[:, None] * (appearance.cloth - albedo)
        gloss *= 1 - 0.9 * collar
        inside = skin & ~np.isin(np.arange(len(mean)), self._outer_vertices())
        albedo[inside] = [0.16, 0.03, 0.03]
        albedo[np.isin(parts, (Part.UPPER_TEETH, Part.LOWER_TEETH))] = [0.75, 0.70, 0.60]
        gloss[np.isin(parts, (Part.UPPER_TEETH, Part.LOWER_TEETH))] = 0.5
        albedo[parts == Part.TONGUE] = [0.40, 0.12, 0.11]
        hair = self._scalp[:, None]
        around = np.stack([np.arctan2(mean[:, 0], mean[:, 2]) * 9, mean[:, 1] * 0.25, mean[:, 0] * 0], 1)
        strand = 0.55 + 0.9 * value_noise(around, 2.2, seed + 2) * value_noise(around, 5.3, seed + 3)
        albedo += hair * (appearance.hair * strand[:, None] - albedo)
        gloss += hair[:, 0] * (0.12 - gloss)
        return albedo.astype(np.float32), gloss.astype(np.float32)

    def _outer_vertices(self) -> np.ndarray:
        """Skin vertices of the NMFC region and everything outside the head's front: not the mouth's inside."""
        region = np.unique(self.model.nmfc_triangles)
        mean = self._mean_fine
        cavity = (np.abs(mean[:, 0]) < 0.42) & (mean[:, 1] > -0.92) & (mean[:, 1] < 0.35) & (mean[:, 2] > -0.9)
        return np.union1d(region, np.where(~cavity)[0])

    def _paint_features(self, albedo: np.ndarray, gloss: np.ndarray, mean: np.ndarray, skin: np.ndarray) -> None:
        """Lips and brows, by the model's own landmarks."""
        points = self.model.landmarks_of(self.model.mean)[:, :2]
        front = skin & (mean[:, 2] > -0.35)
        lips = np.zeros(len(mean))
        near = front & (np.abs(mean[:, 1] - points[list(OUTER_LIPS), 1].mean()) < 0.4) & (np.abs(mean[:, 0]) < 0.6)
        lips[near] = inside_loop(mean[near, :2], smooth_loop(points[list(OUTER_LIPS)]), 0.03)
        albedo += lips[:, None] * (self.appearance.lips - albedo)
        gloss += lips * 0.25
        line = np.abs(mean[:, 1] - points[list(INNER_LIPS), 1].mean()) < 0.012
        albedo[near & line & (lips > 0.5)] *= 0.75
        for eye in (LEFT_EYE, RIGHT_EYE):  # lashes: a dark line along the upper lid
            upper = points[list(eye[:9])]
            near = front & (np.abs(mean[:, :2] - upper.mean(0)).max(1) < 0.3)
            to_lid = np.linalg.norm(mean[near, None, :2] - smooth_line(upper), axis=-1).min(1)
            albedo[near] *= 1 - 0.75 * np.clip(1.3 - to_lid / 0.022, 0, 1)[:, None]
        brow_noise = 0.75 + 0.5 * value_noise(mean, 30, 5)
        for brow_loop in (LEFT_BROW, RIGHT_BROW):
            loop = points[list(brow_loop)]
            near = front & (np.abs(mean[:, :2] - loop.mean(0)).max(1) < 0.6)
            brow = np.zeros(len(mean))
            brow[near] = inside_loop(mean[near, :2], loop, 0.06) * 0.8
            albedo += (brow * brow_noise).clip(0, 1)[:, None] * (self.appearance.hair * 0.6 - albedo)

    def fine_vertices(self, parameters: FaceParameters) -> np.ndarray:
        """Drawn mesh ``[V', 3]`` float32, model frame, eyes turned to the gaze."""
        vertices = self.model.subdivision @ self.model.shape(parameters.identity, parameters.expression)
        vertices += self._hair_shell
        centers = self.model.eye_centers(parameters.identity)
        turn = gaze_rotation(parameters.gaze)
        for center, part in zip(centers, (Part.LEFT_EYE, Part.RIGHT_EYE), strict=True):
            side = self.vertex_parts == part
            vertices[side] = (vertices[side] - center) @ turn.T + center
        return vertices.astype(np.float32)

    def project(self, parameters: FaceParameters, scale: float = 1.0) -> np.ndarray:
        """The drawn mesh in the image, ``[V', 3]`` float32 px; below the neck it follows the head's shift only."""
        vertices = self.fine_vertices(parameters)
        camera = parameters.camera
        weight = np.clip((self._mean_fine[:, 1] + 2.3) / 0.8, 0, 1)[:, None]
        weight = weight * weight * (3 - 2 * weight)
        still = vertices - _NECK + camera.rotation @ _NECK
        points = camera.scale * ((vertices @ camera.rotation.T) * weight + still * (1 - weight))
        points[:, 1] *= -1
        points[:, :2] += camera.translation
        return (points * scale).astype(np.float32)

    def render(self, parameters: FaceParameters, height: int = 256, width: int = 256) -> np.ndarray:
        """An image of the person, ``[H, W, 3]`` uint8 sRGB. ``parameters.identity`` is taken as it is."""
        big = SUPERSAMPLING
        points = self.project(parameters, big)
        index, _ = rasterize(points, self._triangles, height * big, width * big)
        vertices = self.fine_vertices(parameters)
        normals = vertex_normals(vertices, self.model.triangles) @ parameters.camera.rotation.T.astype(np.float32)
        local = self._eye_local(vertices, parameters)
        attributes = np.hstack([normals, self._albedo, self._gloss[:, None], local]).astype(np.float32)
        image = interpolate(points, self._triangles, index, attributes)
        parts = np.where(index >= 0, self.vertex_parts[self._triangles[np.maximum(index, 0), 0]], 255)
        linear = self._shade(image, parts)
        covered = (index >= 0)[..., None]
        linear = np.where(covered, linear, self._backdrop(height * big, width * big))
        small = cv2.resize(linear.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        toned = small * (1 + small / 6) / (1 + small)  # Reinhard with white at 2.4, keeps highlights
        return (np.clip(toned * 1.35, 0, 1) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8)

    def _eye_local(self, vertices: np.ndarray, parameters: FaceParameters) -> np.ndarray:
        """Position on the eyeball in its own frame ``[V', 3]``, unit radius, pupil at +z; zero elsewhere."""
        local = np.zeros_like(vertices)
        centers = self.model.eye_centers(parameters.identity)
        turn = gaze_rotation(parameters.gaze)
        for center, part in zip(centers, (Part.LEFT_EYE, Part.RIGHT_EYE), strict=True):
            side = self.vertex_parts == part
            local[side] = (vertices[side] - center) @ turn / self.model.eye_radius
        return local

    def _shade(self, image: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Light the surface: wrapped diffuse (redder, as skin scatters), sky light, two highlights. Linear RGB."""
        appearance = self.appearance
        normal = image[..., :3] / np.maximum(np.linalg.norm(image[..., :3], axis=-1, keepdims=True), 1e-6)
        albedo, gloss, local = image[..., 3:6].copy(), image[..., 6], image[..., 7:10]
        eye = np.isin(parts, (Part.LEFT_EYE, Part.RIGHT_EYE))
        albedo[eye] = self._eye_color(local[eye])
        gloss = np.where(eye, 1.3, gloss)
        facing = normal @ appearance.key_direction
        wrap = np.array([0.35, 0.20, 0.15])
        diffuse = np.clip((facing[..., None] + wrap) / (1 + wrap), 0, None) * appearance.key_color
        side = (
            np.clip(normal @ np.array([-appearance.key_direction[0], 0.1, 0.7]), 0, 1)[..., None]
            * appearance.fill_color
        )
        sky = (0.30 + 0.22 * normal[..., 1:2]) * np.array([0.9, 0.95, 1.05])
        shaded = albedo * (diffuse + side + sky)
        half = appearance.key_direction + [0, 0, 1]
        half /= np.linalg.norm(half)
        shine = np.clip(normal @ half, 0, 1)
        sharp = np.where(eye, shine**90, shine**14)
        rim = (1 - np.clip(normal[..., 2], 0, 1)) ** 3 * 0.25
        shaded += (gloss * sharp * 0.55)[..., None] * appearance.key_color + (gloss * rim)[..., None]
        shadowed = np.isin(parts, (Part.UPPER_TEETH, Part.LOWER_TEETH, Part.TONGUE))
        shaded[shadowed] *= 0.5
        shaded[eye] *= np.clip(0.92 - 0.5 * local[eye][:, 1:2], 0.3, 1)  # the upper lid's shadow
        return shaded

    def _eye_color(self, local: np.ndarray) -> np.ndarray:  # [N, 3]
        """Sclera, iris with a dark rim and rays, pupil; linear RGB ``[N, 3]``."""
        radius = np.where(local[:, 2] > 0, np.hypot(local[:, 0], local[:, 1]), 9.0)
        angle = np.arctan2(local[:, 1], local[:, 0])
        rays = 0.85 + 0.25 * np.sin(angle * 23) * np.sin(angle * 7 + 1)
        rim = np.clip((_IRIS_RADIUS - radius) / 0.09, 0.25, 1)
        iris = self.appearance.iris * 1.1 * (rays * rim)[:, None]
        edge = lambda r: np.clip((r - radius) / 0.035 + 0.5, 0, 1)[:, None]  # noqa: E731
        sclera = np.array([0.74, 0.71, 0.69])
        color = sclera + edge(_IRIS_RADIUS) * (iris - sclera)
        return color + edge(_PUPIL_RADIUS) * (0.008 - color)

    def _backdrop(self, height: int, width: int) -> np.ndarray:
        """An out-of-focus room, linear RGB ``[H, W, 3]`` float32."""
        if (height, width) not in self._backdrop_cache:
            rng = np.random.default_rng(self.appearance.backdrop_seed)
            background = np.full((64, 64, 3), rng.uniform(0.08, 0.5), np.float32) * rng.uniform(0.8, 1.2, 3)
            for _ in range(14):
                x, y = rng.integers(0, 64, 2)
                w, h = rng.integers(2, 18, 2)
                background[y : y + h, x : x + w] = rng.uniform(0.03, 0.6) * rng.uniform(0.7, 1.2, 3)
            background = cv2.GaussianBlur(background.astype(np.float32), (0, 0), 3)
            self._backdrop_cache[height, width] = cv2.resize(background, (width, height), interpolation=cv2.INTER_CUBIC)
        return self._backdrop_cache[height, width]

    def landmarks(self, parameters: FaceParameters) -> np.ndarray:
        """True places of the 478 landmarks in the image, ``[478, 2]`` px (irises turned with the gaze)."""
        vertices = self.model.shape(parameters.identity, parameters.expression)
        points = self.model.landmarks_of(vertices)
        centers = self.model.eye_centers(parameters.identity)
        turn = gaze_rotation(parameters.gaze)
        for center, side in zip(centers, (slice(473, 478), slice(468, 473)), strict=True):
            points[side] = (points[side] - center) @ turn.T + center
        return parameters.camera.project(points)[:, :2]

    def flow(self, before: FaceParameters, after: FaceParameters, height: int, width: int) -> np.ndarray:
        """True optical flow of the person from one frame to the next, ``[H, W, 2]`` px; the backdrop stands still."""
        points = self.project(before)
        index, _ = rasterize(points, self._triangles, height, width)
        motion = (self.project(after) - points)[:, :2]
        return interpolate(points, self._triangles, index, np.ascontiguousarray(motion))


def act(person: Person, motion: Motion, size: int) -> list[FaceParameters]:
    """Parameters of a person who makes a motion before a still camera, for an image of ``size`` px."""
    scale = size * 0.34
    middle = np.array([size / 2, size * 0.44])
    return [
        FaceParameters(
            person.identity,
            of_units(units),
            ScaledOrthographicCamera.from_euler(euler, scale, middle + euler[:2] * 0.3),
            gaze,
        )
        for units, euler, gaze in zip(motion.expression, motion.euler_deg, motion.gaze_deg, strict=True)
    ]


def film(person: Person, acted: list[FaceParameters], size: int, path: Path) -> None:
    """Write a video and, beside it, its truth (``.npz``): parameters and landmarks of every frame."""
    with VideoWriter(path, FPS) as video:
        for parameters in tqdm(acted, desc=path.name, unit="frame"):
            video.write(person.render(parameters, size, size))
    with atomic(path.with_suffix(".npz")) as truth:
        np.savez_compressed(
            truth,
            identity=person.identity,
            expression=np.stack([p.expression for p in acted]),
            rotation=np.stack([p.camera.rotation for p in acted]),
            scale=np.array([p.camera.scale for p in acted]),
            translation=np.stack([p.camera.translation for p in acted]),
            gaze_deg=np.stack([p.gaze for p in acted]),
            landmarks=np.stack([person.landmarks(p) for p in acted]),
        )


def contact_sheet(model: MorphableModel, size: int = 256) -> np.ndarray:
    """Twelve people in mid-motion, ``[2·size, 6·size, 3]`` uint8."""
    images = []
    for seed in range(12):
        person = Person(model, seed)
        parameters = act(person, natural_motion(40, seed), size)[25]
        images.append(person.render(parameters, size, size))
    return np.vstack([np.hstack(images[:6]), np.hstack(images[6:])])


@one_sentence
def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m offline.people", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="a video (.mp4) or, with --sheet, an image (.png)")
    parser.add_argument("--seed", type=int, default=0, help="decides person and motion (default 0)")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--size", type=int, default=256, help="height and width in px (default 256)")
    parser.add_argument("--sheet", action="store_true", help="a contact sheet in place of a video")
    arguments = parser.parse_args()
    check_output_file(arguments.out)
    model = MorphableModel.load()
    if arguments.sheet:
        write_image(arguments.out, contact_sheet(model, arguments.size))
        return 0
    person = Person(model, arguments.seed)
    acted = act(person, natural_motion(arguments.frames, arguments.seed), arguments.size)
    film(person, acted, arguments.size, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
