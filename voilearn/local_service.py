"""The machine's own service: `voilearn serve` for one user's pages, gone when they ask no more.

In come a model's path and the folder where it is to be found; out goes a service at a free port of
this machine, with a token of its own. It is started by `client.py`, as a process.
"""

import json
import logging
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path

from voilearn.digest import file_sha256
from voilearn.errors import OUR_FAULT, UnusableModel, VoilearnError
from voilearn.json_log import log_as_json
from voilearn.live_model import LiveModel, Served
from voilearn.model import is_compiled
from voilearn.runtime_folder import LISTENING, Entry, RuntimeFolder


def main(model: str, folder: str, idle: str) -> int:
    """Serve `model` until it was idle for so many seconds; say on stdout when it listens.

    The one line there is "listening", or the error as JSON.
    """
    log_as_json(logging.WARNING)
    runtime, path = RuntimeFolder(Path(folder)), Path(model)
    entries: list[Entry] = []
    try:
        _check(path)
        _serve(path, runtime, float(idle), entries)
    except VoilearnError as error:
        _tell_failure(runtime, entries, error)
        return 1
    except ImportError as error:
        _tell_failure(
            runtime,
            entries,
            UnusableModel(
                f"The Python package {error.name} is not installed here. Install what the page "
                "needs: python -m pip install -r requirements.txt"
            ),
        )
        return 1
    except Exception:
        logging.getLogger(__name__).exception("a bug ended the service")
        _tell_failure(runtime, entries, VoilearnError(OUR_FAULT))
        return 1
    finally:
        for entry in entries:
            runtime.remove(entry)
    return 0


def _check(path: Path) -> None:
    """Raise UnusableModel for a file that is seen to be no good before anything is imported."""
    if is_compiled(path):
        from voilearn.onnx_file import check_onnx_file

        check_onnx_file(path)
        return
    from voilearn.export_file import read_export_file

    if hindrance := read_export_file(path).hindrance:
        raise UnusableModel(hindrance)


def _serve(path: Path, runtime: RuntimeFolder, idle: float, entries: list[Entry]) -> None:
    from voilearn.serve import Options, serve

    token = secrets.token_urlsafe(32)

    def listening(url: str, live: LiveModel) -> None:
        entry = Entry(url, token, str(path), file_sha256(path))
        runtime.write(entry)
        entries.append(entry)
        live.on_swap(swapped)
        _say(LISTENING)

    def swapped(served: Served) -> None:
        """Be found by the new model, and no more by the old one."""
        old, new = entries[-1], replace(entries[-1], file_sha256=served.file_sha256)
        if new != old:
            runtime.write(new)
            entries.append(new)
            runtime.remove(old)

    options = Options(path, port=0, token=token, idle=idle, drain=0.0, shared=False)
    serve(options, listening)


def _tell_failure(runtime: RuntimeFolder, entries: list[Entry], error: VoilearnError) -> None:
    """Say why the service ends, to whoever started it and to whoever waits for it."""
    told = error.type, str(error)
    if entries:
        failed = replace(entries.pop(), error=told)
        runtime.write(failed)
    else:
        _say(json.dumps(told))


def _say(line: str) -> None:
    """Tell whoever started the service; if nobody is left there, nobody needs it: raise."""
    print(line, flush=True)
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # nobody reads on


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
