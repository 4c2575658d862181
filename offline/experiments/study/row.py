"""The study as a row: makes its clips, and its tables from the answers that there are."""

from __future__ import annotations

import uvicorn

from offline.experiments.setup import Setup
from offline.experiments.study.answers import Answers
from offline.experiments.study.catalogue import make_catalogue
from offline.experiments.study.results import study_tables
from offline.experiments.study.server import DATABASE, study_app
from offline.experiments.tables import Table

NAME = "study"


def run(setup: Setup) -> list[Table]:
    """Tables II and III and the pairwise question; without answers they are empty."""
    folder = setup.folder(NAME)
    return study_tables(make_catalogue(setup, folder), Answers(folder / DATABASE))


def serve(setup: Setup, host: str, port: int) -> None:
    """Serve the rating page until it is stopped."""
    folder = setup.folder(NAME)
    make_catalogue(setup, folder)
    print(f"The rating page: http://{host}:{port}")
    uvicorn.run(study_app(folder), host=host, port=port, log_level="warning")
