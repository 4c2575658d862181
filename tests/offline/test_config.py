from __future__ import annotations

import json
from dataclasses import replace

import pytest

from face.errors import UserError
from offline.dataset.augmentation import Augmentation
from offline.flow.optical_flow import FlowKind
from offline.training.config import as_config, differences, read_config, write_config
from offline.training.profiles import COMPACT, PAPER, Phase, Weights

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("profile", [COMPACT, PAPER], ids=lambda p: p.name)
def test_a_profile_comes_back_from_its_file(profile, tmp_path):
    write_config(profile, tmp_path / "config.json")
    assert read_config(tmp_path / "config.json") == profile


def test_what_is_edited_is_what_is_trained(tmp_path):
    edited = replace(
        COMPACT, phases=(Phase(until=9, length=2, rate=1e-4, weights=Weights(l1=1.0)),), crop=None, flow=FlowKind.DIS,
        augmentation=Augmentation(zoom=0.1),
    )  # fmt: skip
    write_config(edited, tmp_path / "config.json")
    found = read_config(tmp_path / "config.json")
    assert found == edited and found.flow is FlowKind.DIS
    assert differences(as_config(found), as_config(COMPACT)) == ["augmentation", "crop", "flow", "phases"]


def test_what_a_file_leaves_out_is_the_profiles(tmp_path):
    (tmp_path / "config.json").write_text('{"name": "paper", "discriminator_width": 32, "first_rate": 1}')
    assert read_config(tmp_path / "config.json") == replace(PAPER, discriminator_width=32, first_rate=1.0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is no JSON"),
        ("[]", 'must have a "name"'),
        ('{"name": "huge"}', "one of compact, layered, paper"),
        ('{"name": "compact", "batches": 3}', "no setting batches"),
        ('{"name": "compact", "flow": "guess"}', "guess"),
        ('{"name": "compact", "crop": "wide"}', "crop cannot be 'wide'"),
        ('{"name": "compact", "betas": [0.5]}', "betas must be a list"),
        ('{"name": "compact", "phases": [{"until": 5, "length": 2, "rate": 1, "weights": {"l2": 1}}]}',
         r"no setting phases\[0\]\.weights\.l2"),
        ('{"name": "compact", "phases": [{"until": 5}]}', "missing"),
    ],
)  # fmt: skip
def test_bad_files_say_what_is_wrong(text, sentence, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_config(tmp_path / "config.json")


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(UserError, match="Cannot read"):
        read_config(tmp_path / "config.json")


def test_the_file_is_for_people_to_read(tmp_path):
    write_config(COMPACT, tmp_path / "config.json")
    found = json.loads((tmp_path / "config.json").read_text())
    assert found["flow"] == "mesh" and found["phases"][0]["weights"]["l1"] == 1.0
