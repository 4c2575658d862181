"""The rating page and what it asks: ``python -m offline.experiments study --serve``.

    POST /api/raters                  a new rater: {"rater": TOKEN}
    GET  /api/raters/TOKEN            how far the rater is, and the next question
    POST /api/raters/TOKEN/answers    {"item": ID, "answer": 1…5, or 1…2 for a comparison}: the same as GET

An answer that was given before gets a 409, one that is out of range a 422, an unknown rater or item a 404, and one that
cannot be kept, as on a full disk, a 507.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offline.experiments.study.answers import AnsweredAlreadyError, Answers
from offline.experiments.study.catalogue import Catalogue
from offline.experiments.study.plan import Question, questions

_PAGE = Path(__file__).parent / "page"
_LONGEST = 1000  # bytes of an answer
_POLICY = "default-src 'self'"
DATABASE = "answers.sqlite"


def study_app(folder: Path) -> Starlette:
    """The application for a folder of clips and their catalogue; answers go to a database there.

    Raises:
        UserError: the folder holds no clips.
    """
    study = _Study(Catalogue.read(folder), Answers(folder / DATABASE))
    routes = [
        Route("/api/raters", study.new_rater, methods=["POST"]),
        Route("/api/raters/{rater}", study.progress),
        Route("/api/raters/{rater}/answers", study.answer, methods=["POST"]),
        Mount("/clips", StaticFiles(directory=folder / "clips")),
        Mount("/", StaticFiles(directory=_PAGE, html=True)),
    ]
    handlers = {HTTPException: _refused, sqlite3.OperationalError: _not_kept}
    return Starlette(routes=routes, middleware=[Middleware(_Policy)], exception_handlers=handlers)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)


async def _not_kept(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"The answer could not be kept ({error})."}, status_code=507)


class _Policy:
    """Lets the page load nothing from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"content-security-policy", _POLICY.encode()))
            await send(message)

        await self._app(scope, receive, with_policy)


class _Study:
    """Answers to requests."""

    def __init__(self, catalogue: Catalogue, answers: Answers) -> None:
        self._catalogue, self._answers = catalogue, answers

    async def new_rater(self, request: Request) -> JSONResponse:
        return JSONResponse({"rater": self._answers.new_rater()}, status_code=201)

    async def progress(self, request: Request) -> JSONResponse:
        rater = request.path_params["rater"]
        return JSONResponse(self._state(rater, self._questions(rater)))

    async def answer(self, request: Request) -> JSONResponse:
        rater = request.path_params["rater"]
        asked = self._questions(rater)
        content = await _content(request)
        question = next((question for question in asked if question.item == content.get("item")), None)
        if question is None:
            raise HTTPException(404, "There is no such item.")
        answer = content.get("answer")
        if not isinstance(answer, int) or isinstance(answer, bool) or answer not in question.choices:
            raise HTTPException(422, f"The answer must be a number from 1 to {len(question.choices)}.")
        try:
            self._answers.add(rater, question.item, question.choices[answer])
        except AnsweredAlreadyError:
            raise HTTPException(409, "This was answered before.") from None
        return JSONResponse(self._state(rater, asked), status_code=201)

    def _questions(self, rater: str) -> list[Question]:
        seed = self._answers.seed(rater)
        if seed is None:
            raise HTTPException(404, "There is no such rater.")
        return questions(self._catalogue, seed)

    def _state(self, rater: str, asked: list[Question]) -> dict[str, Any]:
        """How far a rater is, and the next question; ``None`` where all is answered."""
        answered = self._answers.answered(rater)
        left = [question for question in asked if question.item not in answered]
        return {"answered": len(asked) - len(left), "of": len(asked), "next": _shown(left[0]) if left else None}


def _shown(question: Question) -> dict[str, Any]:
    """A question as the page gets it."""
    address = lambda clip: f"clips/{clip}.mp4"  # noqa: E731
    return {
        "item": question.item,
        "source": address(question.source) if question.source else None,
        "clips": [address(clip) for clip in question.clips],
    }


async def _content(request: Request) -> dict[str, Any]:
    """The JSON object of a request."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            raise HTTPException(413, "The answer is too long.")
    try:
        content = json.loads(body)
    except ValueError:
        raise HTTPException(422, "The answer is no JSON.") from None
    if not isinstance(content, dict):
        raise HTTPException(422, "The answer is no JSON object.")
    return content
