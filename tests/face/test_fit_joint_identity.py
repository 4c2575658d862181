from __future__ import annotations

import numpy as np
import pytest
from conftest import camera, true_landmarks
from scipy.optimize import least_squares
from scipy.sparse import block_diag, csr_matrix, hstack, kron, vstack
from scipy.spatial.transform import Rotation

from face.fit_batch import fit_video
from face.fitting import FitSettings, LandmarkBasis, expression_prior, start_camera
from face.landmarks import UNIT_NAMES, Landmarks
from face.parameters import IDENTITY_SIZE, FaceParameters, of_units
from offline.synthetic.motion import natural_motion

pytestmark = pytest.mark.slow

FRAMES = 60
UNITS = [UNIT_NAMES.index(n) for n in ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "mouthPucker")]
SEEN = np.arange(0, 468, 9)


@pytest.fixture(scope="module")
def settings():
    return FitSettings(pitch_gain=1.0, outlier_noises=1e6, identity_limit=1.5)  # trf knows no outliers; the box is felt


@pytest.fixture(scope="module")
def basis(model):
    """A basis with few landmarks and few units that move, so that trf takes seconds."""
    basis = LandmarkBasis(model)
    basis.weights[np.setdiff1d(np.arange(468), SEEN)] = 0
    still = np.setdiff1d(np.arange(basis.moves.shape[2]), UNITS)
    basis.moves[:, :, still] = basis.all_moves[:, :, still] = 0
    return basis


@pytest.fixture(scope="module")
def talk(model):
    """A clip of somebody who talks, as a tracker sees it that is off by what no shape explains."""
    rng = np.random.default_rng(4)
    identity = np.clip(rng.normal(0, 1.0, IDENTITY_SIZE), -2.5, 2.5)
    motion = natural_motion(FRAMES, 4)
    bias, observed = rng.normal(0, 1.0, (478, 2)), []
    for units, euler in zip(motion.expression, motion.euler_deg, strict=True):
        parameters = FaceParameters(identity, of_units(units), camera(*euler), np.zeros(2))
        exact = true_landmarks(model, parameters, np.clip(units + rng.normal(0, 0.1, len(units)), 0, 1))
        points = exact.points + bias + rng.normal(0, 0.3, exact.points.shape)
        observed.append(Landmarks(points, exact.scores, 256, 256))
    return observed


class Energy:
    """Eq. 2 of a clip over identity and, per frame, turn, log scale, shift and the units that move.

    Pixels count by the scales of a fit: see ``face/fitting.py``.
    """

    def __init__(self, basis, observed, settings, estimate):
        self.unit_px = np.array([p.camera.scale for p in estimate])
        self.basis, self.settings, self.per_frame = basis, settings, 6 + len(UNITS)
        self.points = np.stack([frame.points[SEEN] for frame in observed])
        self.priors = np.stack([expression_prior(frame.scores) for frame in observed])
        start = [
            start_camera(basis, frame, np.zeros(IDENTITY_SIZE), p)
            for frame, p in zip(observed, self.priors, strict=True)
        ]
        self.rotation = Rotation.from_matrix(np.stack([c.rotation for c in start]))
        self.scale = np.array([c.scale for c in start])
        self.translation = np.stack([c.translation for c in start])
        self.root = np.sqrt(basis.weights[SEEN]) / settings.landmark_noise
        self.identity_root = np.sqrt(max(1.0, len(observed) / settings.identity_frames))
        self.start = self.pack(np.zeros(IDENTITY_SIZE), np.zeros((len(observed), 6)), self.priors)

    def pack(self, identity, moves, expressions):
        return np.concatenate([identity, np.hstack([moves, expressions[:, UNITS]]).ravel()])

    def of(self, estimate):
        """Where a fit's result lies."""
        turns = Rotation.from_matrix(np.stack([p.camera.rotation for p in estimate])) * self.rotation.inv()
        scales = np.log(np.array([p.camera.scale for p in estimate]) / self.scale)
        shifts = (np.stack([p.camera.translation for p in estimate]) - self.translation) / self.scale[:, None]
        moves = np.column_stack([turns.as_rotvec(), scales, shifts])
        return self.pack(estimate[0].identity, moves, np.stack([p.expression for p in estimate]))

    def residuals(self, x):
        identity, z = x[:IDENTITY_SIZE], x[IDENTITY_SIZE:].reshape(-1, self.per_frame)
        settings, units = self.settings, z[:, 6:]
        rows = (Rotation.from_rotvec(z[:, :3]) * self.rotation).as_matrix()[:, :2]
        rest = self.basis.mean[SEEN] + self.basis.identity[SEEN] @ identity
        shapes = rest + np.einsum("lck,fk->flc", self.basis.moves[SEEN][:, :, UNITS], units)
        scale = self.scale * np.exp(z[:, 3])
        translation = self.translation + z[:, 4:6] * self.scale[:, None]
        fitted = np.einsum("frc,flc->flr", rows, shapes) * [1, -1] * scale[:, None, None] + translation[:, None]
        off = (self.points - fitted) / self.unit_px[:, None, None] * self.root[:, None]
        prior = (units - self.priors[:, UNITS]) / settings.expression_spread[UNITS]
        bends = np.diff(units, 2, axis=0) / settings.smoothness_spread
        return np.concatenate([off.ravel(), prior.ravel(), bends.ravel(), self.identity_root * identity])

    def sparsity(self):
        count, units = len(self.points), len(UNITS)
        unit_columns = np.hstack([np.zeros((units, 6)), np.eye(units)])
        neighbors = np.eye(count)[:-2] + np.eye(count)[1:-1] + np.eye(count)[2:]
        own = vstack([
            block_diag([np.ones((2 * len(SEEN), self.per_frame))] * count), kron(np.eye(count), unit_columns),
            kron(neighbors, unit_columns), csr_matrix((IDENTITY_SIZE, count * self.per_frame)),
        ])  # fmt: skip
        of_identity = np.zeros((own.shape[0], IDENTITY_SIZE))
        of_identity[: count * 2 * len(SEEN)] = 1
        of_identity[-IDENTITY_SIZE:] = np.eye(IDENTITY_SIZE)
        return hstack([csr_matrix(of_identity), own]).tocsr()

    def bounds(self):
        limit = np.full(IDENTITY_SIZE, self.settings.identity_limit)
        free, count = np.full(6, np.inf), len(self.points)
        low = np.tile(np.concatenate([-free, self.basis.low[UNITS]]), count)
        high = np.tile(np.concatenate([free, self.basis.high[UNITS]]), count)
        return np.concatenate([-limit, low]), np.concatenate([limit, high])


def test_identity_and_expressions_reach_the_joint_optimum(model, basis, talk, settings, monkeypatch):
    """Within 1 % of the energy that scipy's reflective trust region reaches from the same start."""
    monkeypatch.setattr("face.fit_batch.LandmarkBasis", lambda _: basis)
    estimate = fit_video(model, talk, settings)
    energy = Energy(basis, talk, settings, estimate)
    low, high = energy.bounds()
    start = np.clip(energy.start, low + 1e-6, high - 1e-6)
    best = least_squares(energy.residuals, start, bounds=(low, high), method="trf", jac_sparsity=energy.sparsity(),
                         x_scale="jac", ftol=1e-5, max_nfev=40)  # fmt: skip
    ours = (energy.residuals(energy.of(estimate)) ** 2).sum()
    assert ours < 1.01 * 2 * best.cost
    assert np.abs(estimate[0].identity).max() == settings.identity_limit
