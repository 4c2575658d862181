"""The consent record in a target's description."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from face.consent import Consent
from face.errors import UserError
from face.target import TargetInfo
from face.target_check import problem

pytestmark = pytest.mark.fast

RECORD = Consent(
    subject="nobody", footage="rendered", permission="ours", permitted_by="us", permitted_on="2026-11-27",
    label_optional=True,
)  # fmt: skip
PATH = Path("x.onnx")


def test_the_record_is_kept(target_info):
    info = replace(target_info, consent=RECORD)
    assert TargetInfo.from_json(info.to_json(), PATH) == info and info.label_optional


def test_older_targets_load_and_keep_their_label(target_info):
    values = json.loads(target_info.to_json())
    del values["consent"]
    info = TargetInfo.from_json(json.dumps(values), PATH)
    assert info.consent is None and not info.label_optional


@pytest.mark.parametrize(
    "change", [{"permitted_by": " "}, {"permitted_on": "yesterday"}, {"label_optional": 1}, {"subject": 3}]
)
def test_a_damaged_record_is_refused(target_info, change):
    wrong = problem(replace(target_info, consent=replace(RECORD, **change)))
    assert wrong is not None and wrong.startswith(f"consent: {next(iter(change))}")


@pytest.mark.parametrize("record", [{}, [], "text", {"subject": "x", "unknown": 1}])
def test_what_is_no_record_is_refused(target_info, record):
    values = json.loads(target_info.to_json()) | {"consent": record}
    with pytest.raises(UserError, match="another version"):
        TargetInfo.from_json(json.dumps(values), PATH)
