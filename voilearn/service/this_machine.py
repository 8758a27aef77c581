"""The machine's own service: `voilearn serve` for one user's pages, gone when they ask no more.

In come a model's path and the folder where it is to be found; out goes a service at a free port of
this machine, with a token of its own. It is started by `client.py`, as a process.
"""

import contextlib
import json
import logging
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path

from voilearn.errors import OUR_FAULT, UnusableFolder, UnusableModel, VoilearnError
from voilearn.missing import missing
from voilearn.model import check_model
from voilearn.model_file import model_sha256
from voilearn.runtime_folder import LISTENING, Entry, RuntimeFolder
from voilearn.service.json_log import log_as_json
from voilearn.service.live_model import LiveModel, Served


def main(model: str, folder: str, idle: str) -> int:
    """Serve `model` until it was idle for so many seconds; say on stdout when it listens.

    The one line there is "listening", or the error as JSON.
    """
    log_as_json(logging.WARNING)
    runtime, path = RuntimeFolder(Path(folder)), Path(model)
    entries: list[Entry] = []
    try:
        check_model(path)
        _serve(path, runtime, float(idle), entries)
    except BrokenPipeError:
        return 0  # whoever started it has gone
    except Exception as error:  # noqa: BLE001  # told to whoever waits for the service
        _tell_failure(runtime, entries, error)
        return 1
    finally:
        for entry in entries:
            runtime.remove(entry)
    return 0


def _serve(path: Path, runtime: RuntimeFolder, idle: float, entries: list[Entry]) -> None:
    from voilearn.service.serve import Options, serve

    token = secrets.token_urlsafe(32)

    def listening(url: str, live: LiveModel) -> None:
        entry = Entry(url, token, str(path), model_sha256(path))
        runtime.write(entry)
        entries.append(entry)
        live.on_swap(swapped)
        _say(LISTENING)

    def swapped(served: Served) -> None:
        """Be found by the new model, and no more by the old one."""
        old, new = entries[-1], replace(entries[-1], file_sha256=served.file_sha256)
        if new != old:
            with contextlib.suppress(UnusableFolder):  # then pages that come start another service
                runtime.write(new)
            entries.append(new)
            runtime.remove(old)

    def failing(error: BaseException) -> None:
        _tell_failure(runtime, entries, error)

    options = Options(path, port=0, token=token, idle=idle, drain=0.0, shared=False)
    serve(options, listening, failing)


def _tell_failure(runtime: RuntimeFolder, entries: list[Entry], error: BaseException) -> None:
    """Say why the service ends, to whoever started it and to whoever waits for it."""
    ours = _ours(error)
    told = ours.type, str(ours)
    if entries:
        runtime.write(replace(entries.pop(), error=told))
    else:
        _say(json.dumps(told))


def _ours(error: BaseException) -> VoilearnError:
    if isinstance(error, VoilearnError):
        return error
    if isinstance(error, ImportError):
        return UnusableModel(missing(error))
    logging.getLogger(__name__).error("a bug ended the service", exc_info=error)
    return VoilearnError(OUR_FAULT)


def _say(line: str) -> None:
    """Tell whoever started the service; if nobody is left there, nobody needs it: raise."""
    try:
        print(line, flush=True)
    finally:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # nobody reads on


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
