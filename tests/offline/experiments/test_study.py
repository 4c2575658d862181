"""The rating page's server: what it keeps, what it refuses, and the tables that come of it."""

from __future__ import annotations

import asyncio
import sqlite3

import httpx
import pytest
from study_parts import make_study

from face.errors import UserError
from offline.experiments.study.answers import Answers
from offline.experiments.study.catalogue import Catalogue
from offline.experiments.study.plan import OURS, questions
from offline.experiments.study.results import study_tables
from offline.experiments.study.server import DATABASE, study_app

pytestmark = pytest.mark.fast


@pytest.fixture
def study_folder(tmp_path):
    return make_study(tmp_path)


class Client:
    """Sends requests to the application, without a server."""

    def __init__(self, app) -> None:
        self._transport = httpx.ASGITransport(app)

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._request("GET", path))

    def post(self, path: str, **content) -> httpx.Response:
        return asyncio.run(self._request("POST", path, **content))

    async def _request(self, method: str, path: str, **content) -> httpx.Response:
        async with httpx.AsyncClient(transport=self._transport, base_url="http://study") as client:
            return await client.request(method, path, **content)


@pytest.fixture
def client(study_folder):
    return Client(study_app(study_folder))


def begin(client: Client) -> str:
    response = client.post("/api/raters")
    assert response.status_code == 201
    return f"/api/raters/{response.json()['rater']}"


def test_a_rater_is_asked_everything_once_and_goes_on_after_a_reload(client):
    rater, asked = begin(client), []
    state = client.get(rater).json()
    while state["next"]:
        assert state == client.get(rater).json()  # as after a reload
        asked.append(state["next"]["item"])
        for clip in state["next"]["clips"]:
            assert client.get(f"/{clip}").headers["content-type"] == "video/mp4"
        state = client.post(f"{rater}/answers", json={"item": asked[-1], "answer": 2}).json()
    assert state["answered"] == state["of"] == 7
    assert len(set(asked)) == 7 and asked[-1] == "pair"  # comparisons last


def test_orders_differ_and_ids_tell_nothing_of_the_order(study_folder):
    catalogue = Catalogue.read(study_folder)
    orders = {tuple(question.item for question in questions(catalogue, seed)) for seed in range(10)}
    assert len(orders) == 10
    left = {questions(catalogue, seed)[-1].clips[0] for seed in range(10)}
    assert left == {"driven-ben", "frame-by-frame"}


def test_a_choice_is_kept_by_what_was_chosen_not_by_its_side(client, study_folder):
    for _ in range(6):
        rater = begin(client)
        seed = Answers(study_folder / DATABASE).seed(rater.rsplit("/", 1)[1])
        shown = questions(Catalogue.read(study_folder), seed)[-1].clips
        answer = shown.index("driven-ben") + 1
        assert client.post(f"{rater}/answers", json={"item": "pair", "answer": answer}).status_code == 201
    assert Answers(study_folder / DATABASE).counts("pair") == {OURS: 6}


def test_what_is_sent_twice_or_out_of_range_is_refused_and_nothing_is_lost(client, study_folder):
    rater = begin(client)
    send = lambda content: client.post(f"{rater}/answers", json=content)  # noqa: E731
    assert send({"item": "real-anna", "answer": 4}).status_code == 201
    again = send({"item": "real-anna", "answer": 1})
    assert again.status_code == 409 and again.json() == {"error": "This was answered before."}
    for wrong in (0, 6, -1, 2.5, "3", None, True, [4]):
        assert send({"item": "real-ben", "answer": wrong}).status_code == 422, wrong
    assert send({"item": "pair", "answer": 3}).status_code == 422
    assert send({"item": "real-nobody", "answer": 3}).status_code == 404
    assert send([1]).status_code == 422
    assert client.post(f"{rater}/answers", content=b"{").status_code == 422
    assert client.post(f"{rater}/answers", content=b" " * 2000).status_code == 413
    assert client.get("/api/raters/nobody").status_code == 404
    assert client.post("/api/raters/nobody/answers", json={"item": "pair", "answer": 1}).status_code == 404
    assert client.get("/clips/../answers.sqlite").status_code == 404
    answers = Answers(study_folder / DATABASE)
    assert answers.counts("real-anna") == {4: 1} and not answers.counts("real-ben")
    assert client.get(rater).json()["answered"] == 1


def test_an_answer_that_cannot_be_kept_says_so_and_can_be_given_again(client, study_folder, monkeypatch):
    rater = begin(client)

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Answers, "add", full)
        refused = client.post(f"{rater}/answers", json={"item": "pair", "answer": 1})
    assert refused.status_code == 507 and "could not be kept" in refused.json()["error"]
    assert client.post(f"{rater}/answers", json={"item": "pair", "answer": 1}).status_code == 201


def test_tables_ii_and_iii_and_the_pairs(client, study_folder):
    given = {"real-anna": [5, 4, 4, 2], "self-anna": [4, 1, 3, 5], "driven-ben": [1, 1, 5, 2], "pair": [1, 1, 1, 1]}
    for k in range(4):
        rater = begin(client)
        for item, answers in given.items():
            assert client.post(f"{rater}/answers", json={"item": item, "answer": answers[k]}).status_code == 201
    ii, iii, pairs = study_tables(Catalogue.read(study_folder), Answers(study_folder / DATABASE))
    rows = {(row[0], row[1]): row[2:] for row in ii.rows}
    assert rows["anna", "real"][:6] == (0, 1, 0, 2, 1, 4) and rows["anna", "real"][6].value == 0.75
    assert rows["anna", "synthesized"][:6] == (1, 0, 1, 1, 1, 4) and rows["anna", "synthesized"][6].value == 0.5
    assert rows["all", "synthesized"] == rows["anna", "synthesized"]
    rows = {(row[0], row[1]): row[2:] for row in iii.rows}
    assert rows["ben", "synthesized"][:6] == (2, 1, 0, 0, 1, 4)
    assert pairs.rows[0][1] == 4 and pairs.rows[0][2] + pairs.rows[0][3] == 4
    assert "0.75 [0.30, 0.95]" in ii.markdown()


def test_a_folder_without_clips_says_so(tmp_path):
    with pytest.raises(UserError, match="holds no clips of this version"):
        study_app(tmp_path)
