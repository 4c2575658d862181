"""Writes dataset folders: frame by frame, so that a video's length does not matter, and whole or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from face.errors import UserError
from face.files import AtomicWrite, remove_partial
from face.mouth_parts import TeethPlacement
from face.parameters import FaceParameters


def refuse_foreign(folder: Path) -> None:
    """Make sure that a dataset may be written to a folder.

    Raises:
        UserError: it holds something else.
    """
    if folder.exists() and not (folder / "manifest.json").exists() and any(folder.iterdir()):
        raise UserError(f"{folder} holds something that is not a dataset: give another folder.")


def made_by(folder: Path, recipe: dict[str, object]) -> bool:
    """Whether a folder holds the dataset that a recipe makes."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return False
    return all(manifest.get(key) == value for key, value in recipe.items())


def stack_parameters(
    faces: Sequence[FaceParameters],  # of one person, as they are drawn
    aligned: Sequence[FaceParameters],  # the same with the cameras that the pixels agree with
    takes: np.ndarray,  # [N] which take each is of
    camera_map: np.ndarray,  # [M, 6] of the person
    teeth: TeethPlacement | None = None,  # that the conditionings show
) -> dict[str, np.ndarray]:
    """Faces as the arrays of ``parameters.npz``."""
    cameras = {
        f"{prefix}{name}": np.stack([getattr(face.camera, name) for face in of])
        for prefix, of in (("", faces), ("aligned_", aligned))
        for name in ("rotation", "scale", "translation")
    }
    return cameras | {
        "take": takes,
        "identity": faces[0].identity,
        "expression": np.stack([p.expression for p in faces]),
        "gaze": np.stack([p.gaze for p in faces]),
        "camera_map": camera_map,
        "teeth": np.array(teeth.values() if teeth else ()),
    }


class ImageFile:
    """Images in an ``.npy`` file, each written when it is there, in any order.

    Args:
        path: the file.
        count: of images.
        size: their height and width.
        channels: of uint8.
    """

    def __init__(self, path: Path, count: int, size: int, channels: int) -> None:
        self.path, self._bytes = path, size * size * channels
        self._file = path.open("wb")
        header = {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, channels)}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._begin = self._file.tell()
        self._file.truncate(self._begin + count * self._bytes)

    def __setitem__(self, number: int, image: np.ndarray) -> None:  # [size, size, channels] uint8
        assert image.nbytes == self._bytes and image.dtype == np.uint8
        self._file.seek(self._begin + number * self._bytes)
        self._file.write(np.ascontiguousarray(image).data)

    def read(self) -> np.ndarray:
        """All images ``[count, size, size, channels]`` as they are on the disk, read when they are looked at."""
        self._file.flush()
        images: np.ndarray = np.load(self.path, mmap_mode="r")
        return images

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


class DatasetWriter:
    """A dataset folder in the making; a ``with`` block that ends without ``finish`` leaves nothing.

    Args:
        folder: where it goes, in place of what is there.
        count: frames.
        size: their height and width.

    Attributes:
        frames, conditionings: what to fill, ``[count, size, size, 3]`` and ``[count, size, size, 6]``.

    Raises:
        UserError: the folder holds something else.
    """

    def __init__(self, folder: Path, count: int, size: int) -> None:
        refuse_foreign(folder)
        remove_partial(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._write = AtomicWrite(folder)
        partial = self._write.partial
        partial.mkdir()
        self.frames = ImageFile(partial / "frames.npy", count, size, 3)
        self.conditionings = ImageFile(partial / "conditioning.npy", count, size, 6)

    def finish(self, parameters: dict[str, np.ndarray], manifest: dict[str, object]) -> None:
        """Put the folder in its place; ``parameters`` as from ``stack_parameters``."""
        self.frames.close()
        self.conditionings.close()
        partial = self._write.partial
        np.savez_compressed(partial / "parameters.npz", **parameters)  # type: ignore[arg-type]  # none is allow_pickle
        (partial / "manifest.json").write_text(json.dumps(manifest, indent=1))
        self._write.commit()

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for images in (self.frames, self.conditionings):
            with contextlib.suppress(OSError):  # a full disk does not take the end either
                images.close()
        self._write.discard()  # makes room again, where it was the disk


def write_dataset(
    folder: Path,
    frames: np.ndarray,  # [N, H, W, 3] uint8
    conditionings: np.ndarray,  # [N, H, W, 6] uint8
    parameters: dict[str, np.ndarray],  # see stack_parameters
    manifest: dict[str, object],
) -> None:
    """Write what is at hand as a dataset folder, whole or not at all, in place of what is there.

    Raises:
        UserError: it holds something else.
    """
    with DatasetWriter(folder, len(frames), frames.shape[1]) as made:
        for number, (frame, conditioning) in enumerate(zip(frames, conditionings, strict=True)):
            made.frames[number], made.conditionings[number] = frame, conditioning
        made.finish(parameters, manifest)
