"""The options that record consent: no target is made without."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from face.errors import UserError
from offline.export.options import add_options, target_labels

pytestmark = pytest.mark.fast

GIVEN = {
    "--name": "a",
    "--provenance": "nobody",
    "--footage": "rendered",
    "--permission": "ours",
    "--permitted-by": "us",
}


def parsed(options: dict[str, str], *flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args([*(word for pair in options.items() for word in pair), *flags])


def test_the_record_is_what_was_given():
    consent = target_labels(parsed(GIVEN | {"--permitted-on": "2026-01-02"}, "--label-optional")).consent
    assert consent is not None and consent.label_optional
    assert (consent.subject, consent.permitted_by, consent.permitted_on) == ("nobody", "us", "2026-01-02")


@pytest.mark.parametrize("option", GIVEN)
def test_what_is_missing_is_asked_for(option):
    with pytest.raises(UserError, match=f"give {option} as well"):
        target_labels(parsed({key: value for key, value in GIVEN.items() if key != option}))


def test_a_wrong_date_is_a_sentence():
    with pytest.raises(UserError, match="permitted_on is no date"):
        target_labels(parsed(GIVEN | {"--permitted-on": "soon"}))


def test_a_student_inherits_its_teachers_record(target_info):
    teacher = replace(target_info, consent=target_labels(parsed(GIVEN)).consent)
    assert target_labels(parsed({"--name": "b"}), teacher).consent == teacher.consent
    with pytest.raises(UserError, match="--footage and --permission"):  # an older teacher has none
        target_labels(parsed({"--name": "b"}), target_info)
