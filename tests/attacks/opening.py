"""The ways a file is opened in a process of `watch`: ours, and the usual one.

In comes a request with the file's path; what comes of each step goes into the report.
"""

import contextlib
import io
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from voilearn.errors import VoilearnError

Report = dict[str, Any]


def ours(request: Report, report: Report) -> None:
    """Read, open and ask the model as voilearn does, under audit."""
    from tests.attacks.audit import Audit
    from voilearn.export.file import read_export_file
    from voilearn.learner.load import load_classify

    path, photo = Path(request["path"]), a_photo()
    audit = Audit(path)
    audit.active = not request.get("own")
    step(report, "read", lambda: json.dumps(read_export_file(path).to_dict())[:2000])
    if "refused" not in report["read"]:
        classify = step(report, "open", lambda: load_classify(path))
        if "refused" not in report["open"]:
            step(report, "answer", lambda: told(classify(photo)))
    audit.active = False
    report["findings"], report["times_opened"] = audit.findings, audit.opened


def fuzzed(request: Report, report: Report) -> None:
    """Read and open one file after the other; no photo is asked for."""
    from voilearn.export.file import read_export_file
    from voilearn.learner.load import load_learner

    for path in request["paths"]:
        Path(request["at"]).write_text(path)  # whose fault it is if this process dies
        start, one = time.process_time(), report.setdefault(path, {})
        try:
            step(one, "read", partial(read_export_file, path))
            if "refused" not in one["read"]:
                step(one, "open", partial(load_learner, path))
        except BaseException:
            one["crashed"] = traceback.format_exc(limit=-6)[-3000:]
        one["seconds"] = time.process_time() - start


def swapped(request: Report, report: Report) -> None:
    """Open a file, and put another in its place whenever it is opened for the nth time."""
    from voilearn.learner.load import load_classify

    opened = 0

    def swap(event: str, args: tuple[Any, ...]) -> None:
        nonlocal opened
        if event == "open" and not isinstance(args[0], int) and os.fspath(args[0]) == path:
            opened += 1
            if opened == request["nth"]:
                Path(request["by"]).replace(path)

    path, photo = request["path"], a_photo()
    sys.addaudithook(swap)
    if classify := step(report, "open", lambda: load_classify(path)):
        step(report, "answer", lambda: told(classify(photo)))
    report["swapped"] = opened >= request["nth"]


def usual(request: Report, report: Report) -> None:
    """Open and ask a learner the way fastai does, which runs whatever the file brings along."""
    from fastai.learner import load_learner
    from fastai.vision.core import PILImage

    from tests.attacks.audit import Audit

    audit = Audit(Path(request["path"]))
    audit.active = bool(request.get("audit"))  # a profiler or debugger stumbles over it
    with contextlib.suppress(BaseException):
        learn = load_learner(request["path"])
        with learn.no_bar():
            learn.predict(PILImage.create(io.BytesIO(a_photo())))
    audit.active = False
    report["findings"] = audit.findings


def printed(request: Report, report: Report) -> None:
    """Inspect a file and classify a photo by the command line, and tell what it prints."""
    from voilearn import cli

    photo = Path(request["path"]).with_name("photo.png")
    photo.write_bytes(a_photo())
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        cli.main(["inspect", request["path"]])
        cli.main(["classify", str(photo), "--model", request["path"]])
    report["printed"] = out.getvalue()


def step(report: Report, name: str, act: Callable[[], Any]) -> Any:
    """Run one step; an error of ours is a refusal, and any other goes up."""
    report[name] = {}
    try:
        done = act()
    except VoilearnError as error:
        report[name]["refused"] = str(error)
        return None
    if isinstance(done, str):
        report[name]["told"] = done
    return done


def told(prediction: Any) -> str:
    return json.dumps(prediction.to_dict(), allow_nan=False)


def a_photo() -> bytes:
    from tests.conftest import draw, encode

    return encode(draw(), "PNG")
