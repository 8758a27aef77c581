"""The door from a shell: `voilearn classify`, `inspect`, `compile` and `serve`.

In come a command and file names; out go lines of text or JSON, and an exit code. Each command
imports its rooms when it runs, so that asking for help loads no torch.
"""

import argparse
import errno
import io
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from voilearn import __version__
from voilearn.errors import PhotoNotFound, VoilearnError, printable, shown
from voilearn.terminal import MOST, NotPrinted, Once, Parser, as_folder, as_path, put, silence

if TYPE_CHECKING:
    from voilearn.prediction import Prediction

    Commands: TypeAlias = "argparse._SubParsersAction[Parser]"

# The extra that brings a package along; what is not named comes with fastai.
COMPILE = "learner,onnx,compile"
WEB = (
    *("fastapi", "fastapi_offline", "httptools", "prometheus_client", "python_multipart"),
    *("starlette", "uvicorn"),
)
EXTRAS = {
    "onnxruntime": "onnx",
    "numpy": "onnx",
    "onnx": COMPILE,
    "onnx_ir": COMPILE,
    **dict.fromkeys(WEB, "service"),
}
MODEL_HELP = "an export.pkl, or an export.onnx that has its export.json beside it"
ORIGIN_HELP = (
    "a web page's origin whose scripts may ask, and that may show the page in a frame, as "
    "https://example.org; or *; may be given several times (default: none)"
)
TRUST_HELP = "run the code in the model's file, otherwise read as data"
TRUST = "voilearn: --trust opens {} with fastai's load_learner, which runs whatever code is in it."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 if a photo or the model was no good (usage: exit 2)."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for file names that are no Unicode
    if not sys.warnoptions:  # what libraries warn of is for those who ask, by -W
        logging.captureWarnings(True)
        logging.getLogger("py.warnings").addHandler(logging.NullHandler())
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except VoilearnError as error:
        print(f"voilearn: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"voilearn: {_missing(error.name or 'that')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except NotPrinted as error:
        silence(sys.stdout)
        if error.reason:
            print(f"voilearn: Nothing can be written out: {error.reason}.", file=sys.stderr)
        return 1


def _missing(package: str) -> str:
    extra = EXTRAS.get(package.partition(".")[0], "learner")
    return (
        f"the Python package {package} is not installed here. Install what this needs: "
        f"python -m pip install 'voilearn[{extra}]', or in a checkout: "
        "python -m pip install -r requirements.txt"
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="voilearn",
        description="Use a trained fastai learner.",
        epilog="voilearn COMMAND --help tells what a command takes. With the environment variable "
        "VOILEARN_COST=N a network may take N times the usual memory and time for a photo.",
    )
    parser.add_argument("--version", action="version", version=f"voilearn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_classify,
        _add_inspect,
        _add_compile,
        _add_serve,
        _add_page,
        _add_new,
        _add_device,
    ):
        add(commands)
    return parser


def _sentence(told: str) -> str:
    return f"{told[0].upper()}{told[1:]}."


def _add_classify(commands: "Commands") -> None:
    told = "say what is in photos, a line for each"
    classify = commands.add_parser("classify", help=told, description=_sentence(told))
    classify.add_argument("photos", nargs="+", metavar="PHOTO", help="a photo's file")
    _add_model(classify)
    classify.add_argument("--json", action="store_true", help="print a JSON object for each")
    classify.add_argument("--trust", action="store_true", help=TRUST_HELP)
    classify.set_defaults(run=_classify)


def _add_inspect(commands: "Commands") -> None:
    told = "tell what is inside a model, running none of its code"
    inspect = commands.add_parser("inspect", help=told, description=_sentence(told))
    inspect.add_argument("model", type=as_path, metavar="MODEL", help=MODEL_HELP)
    inspect.add_argument("--json", action="store_true", help="print a JSON object")
    inspect.set_defaults(run=_inspect)


def _add_compile(commands: "Commands") -> None:
    told = "make export.onnx, which runs without torch"
    compile = commands.add_parser("compile", help=told, description=_sentence(told))
    compile.add_argument("model", type=as_path, metavar="MODEL", help="an export.pkl")
    compile.add_argument(
        "-o",
        dest="folder",
        type=as_folder,
        default=Path(),
        metavar="DIR",
        help="the folder for export.onnx and its export.json (default: %(default)s, this one)",
    )
    compile.add_argument(
        "--photos",
        type=as_path,
        metavar="DIR",
        help="compare the answers on these, best with a folder for each class "
        "(default: on pictures made by code)",
    )
    compile.add_argument(
        "--int8", action="store_true", help="smaller and faster, if good enough on --photos"
    )
    compile.set_defaults(run=_compile)


def _add_serve(commands: "Commands") -> None:
    told = "answer photos over HTTP, and show the page"
    serve = commands.add_parser("serve", help=told, description=_sentence(told))
    _add_model(serve)
    serve.add_argument(
        "--host", default="127.0.0.1", help="the address to listen at (default: %(default)s)"
    )
    serve.add_argument(
        "--port", type=int, default=8000, help="0 is any that is free (default: %(default)s)"
    )
    serve.add_argument(
        "--token",
        default=os.environ.get("VOILEARN_TOKEN"),  # which no help may print
        help="what clients must show (default: the variable VOILEARN_TOKEN, if it is set)",
    )
    serve.add_argument("--public", action="store_true", help="let everybody ask, without a token")
    serve.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN", help=ORIGIN_HELP
    )
    serve.add_argument("--trust", action="store_true", help=TRUST_HELP)
    serve.set_defaults(run=_serve, usage=serve.error)


def _add_page(commands: "Commands") -> None:
    told = "open the page in this machine's browser"
    page = commands.add_parser("page", help=told, description=_sentence(told))
    page.add_argument(
        "model",
        nargs="?",
        type=as_path,
        metavar="MODEL",
        help=f"{MODEL_HELP} (default: export.pkl, or else export.onnx, in the current folder)",
    )
    page.add_argument(
        "--port", type=int, default=0, help="the page's port (default: any that is free)"
    )
    page.add_argument(
        "--no-browser", action="store_true", help="say the page's address, and open no browser"
    )
    page.add_argument(
        "--lab",
        action="store_true",
        help="open the page's notebook in JupyterLab: app.ipynb beside the model, or a new one",
    )
    page.set_defaults(run=_page)


def _add_new(commands: "Commands") -> None:
    told = "make an app of a model: a folder to push to GitHub, which opens on Binder"
    new = commands.add_parser("new", help=told, description=_sentence(told))
    new.add_argument(
        "folder", type=as_path, metavar="FOLDER", help="the app's folder: a new one, or empty"
    )
    _add_model(new)
    new.add_argument(
        "--repo",
        metavar="OWNER/REPO",
        help="the app's repository on GitHub, for the links in its README (default: to be filled "
        "in there)",
    )
    new.set_defaults(run=_new, usage=new.error)


def _add_device(commands: "Commands") -> None:
    told = "make the page that answers on the visitor's own device, as a folder for any host"
    device = commands.add_parser("device", help=told, description=_sentence(told))
    device.add_argument(
        "model", type=as_path, metavar="MODEL", help=f"{MODEL_HELP}, or a folder that has both"
    )
    device.add_argument(
        "-o",
        dest="folder",
        type=as_path,
        required=True,
        metavar="DIR",
        help="the folder for the page: a new one, an empty one, or that of an older page",
    )
    device.add_argument(
        "--notebook",
        type=as_path,
        metavar="FILE",
        help="whose first cell has the page's title, where app.toml beside it has none; examples/ "
        "beside it is the gallery (default: app.ipynb beside the model)",
    )
    device.add_argument(
        "--runtime",
        type=as_path,
        metavar="FILE",
        help="npm's package of ONNX Runtime Web, downloaded elsewhere (default: download it)",
    )
    device.set_defaults(run=_device)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        action=Once,
        type=as_path,
        default=Path("export.pkl"),
        metavar="FILE",
        help=f"{MODEL_HELP} (default: %(default)s)",
    )


def _classify(options: argparse.Namespace) -> int:
    from voilearn.model import is_compiled, load_classify

    if options.trust and not is_compiled(options.model):
        print(TRUST.format(shown(options.model)), file=sys.stderr)
    classify = load_classify(options.model, options.trust)
    failed = 0
    for photo in options.photos:
        try:
            prediction = classify(_read_photo(photo))
            line = _json_line(photo, prediction) if options.json else _line(photo, prediction)
        except VoilearnError as error:
            failed = 1
            line = _error_line("photo", photo, error) if options.json else _told(photo, error)
        put(line)
    return failed


def _read_photo(name: str) -> bytes:
    """Read a photo's bytes; of a file over the limit only so many as show that it is."""
    from voilearn.limits import LIMITS, check_size
    from voilearn.no_file import all_in, no_file

    if found := no_file(name, f"Name the photos in it: {all_in(name)}"):
        what, instead = found
        raise PhotoNotFound(f"This is {what}. {instead}")
    path = Path(name)
    try:
        check_size(path.stat().st_size)
        with path.open("rb") as file:
            return file.read(LIMITS.bytes + 1)
    except OSError as error:
        reason = "there is no such file" if error.errno == errno.ENOENT else error.strerror
        raise PhotoNotFound(
            f"This photo can't be read: {reason}. Check its path, and that you may read it."
        ) from error


def _told(photo: str, error: VoilearnError) -> str:
    return f"{printable(photo, MOST) or repr(photo)}: {error}"


def _line(photo: str, prediction: "Prediction") -> str:
    def told(label: str) -> str:
        return label if label.strip() else repr(label)  # of blanks alone, nothing would be seen

    shares = ", ".join(f"{told(name)} {p:.1%}" for name, p in prediction.probabilities.items())
    labels = ", ".join(map(told, prediction.labels)) or "none"
    return f"{printable(photo, MOST)}: {printable(labels)} ({printable(shares, MOST)})"


def _json_line(photo: str, prediction: "Prediction") -> str:
    return json.dumps({"photo": photo, **prediction.to_dict()})


def _error_line(what: str, path: str, error: VoilearnError) -> str:
    reason = {"type": error.type, "message": str(error)}
    return json.dumps({what: path, "error": reason})


def _inspect(options: argparse.Namespace) -> int:
    from voilearn.model import is_compiled

    try:
        return (_inspect_compiled if is_compiled(options.model) else _inspect_export)(options)
    except VoilearnError as error:
        if not options.json:
            raise
        put(_error_line("path", str(options.model), error))
        return 1


def _inspect_export(options: argparse.Namespace) -> int:
    from voilearn.describe import describe
    from voilearn.model import inspect_export

    export = inspect_export(options.model)
    put(json.dumps(export.to_dict()) if options.json else describe(export))
    return 0 if export.hindrance is None else 1


def _inspect_compiled(options: argparse.Namespace) -> int:
    from voilearn.compiled.description import read_compiled
    from voilearn.compiled.onnx_file import check_onnx_file
    from voilearn.describe import describe_compiled

    path = options.model
    file, compiled = check_onnx_file(path), read_compiled(path)
    told = {"path": str(path), **compiled.to_dict(), "operators": dict(file.operators)}
    put(json.dumps(told) if options.json else describe_compiled(path, compiled, file))
    return 0


def _compile(options: argparse.Namespace) -> int:
    from voilearn.compiled.description import check_not_compiled
    from voilearn.learner.quiet import quiet_libraries

    check_not_compiled(options.model)
    quiet_libraries()
    from voilearn.compiled.compile import compile_learner

    compiled = compile_learner(options.model, options.folder, options.photos, options.int8, _say)
    file = options.folder / "export.onnx"
    size = f"{compiled.bytes / 1e6:.1f} MB, {compiled.precision}"
    put(f"{printable(str(file), MOST)} ({size}) and export.json written")
    put(f"agreement with learn.predict: {compiled.agreement}")
    return 0


def _page(options: argparse.Namespace) -> int:
    from voilearn.model import check_model

    here = (Path(name) for name in ("export.pkl", "export.onnx") if Path(name).exists())
    model: Path = options.model or next(here, Path("export.pkl"))
    check_model(model)
    if options.lab:
        from voilearn.project.lab import open_lab

        open_lab(model, options.port, not options.no_browser, put)
        return 0
    from voilearn.service.in_browser import show_page

    show_page(model, options.port, not options.no_browser, put)
    return 0


def _new(options: argparse.Namespace) -> int:
    from voilearn.learner.quiet import quiet_libraries
    from voilearn.project.new import write_app
    from voilearn.project.repository import Repository, repository_of

    try:
        repository = Repository() if options.repo is None else repository_of(options.repo)
    except ValueError as error:
        options.usage(str(error))
    quiet_libraries()
    for line in write_app(options.folder, options.model, repository):
        put(line)
    return 0


def _say(line: str) -> None:
    """Tell what goes on, where it takes long."""
    print(f"voilearn: {line} …", file=sys.stderr, flush=True)


def _device(options: argparse.Namespace) -> int:
    from voilearn.device.build import build
    from voilearn.learner.quiet import quiet_libraries
    from voilearn.model_file import check_is_a_file

    quiet_libraries()
    model: Path = options.model
    if not model.is_dir():
        check_is_a_file(model)
    folder = model if model.is_dir() else model.parent
    notebook = options.notebook or folder / "app.ipynb"
    put(build(model, notebook, options.folder, options.runtime, _say))
    return 0


def _serve(options: argparse.Namespace) -> int:
    from voilearn.model import is_compiled
    from voilearn.model_file import check_is_a_file
    from voilearn.service.json_log import log_as_json
    from voilearn.service.origins import origin_of
    from voilearn.service.serve import Options, check_forwarded, host_of, is_loopback, serve

    try:
        host = host_of(options.host)
        origins = [origin_of(written) for written in options.allow_origin]
        check_forwarded(os.environ.get("FORWARDED_ALLOW_IPS", ""))
    except ValueError as error:
        options.usage(str(error))
    token = (options.token or "").strip() or None  # one in a file often ends in a new line
    if not (token or options.public or is_loopback(host)):
        options.usage(
            f"others than this machine can reach {host}, so the service needs a token: "
            "set VOILEARN_TOKEN to a long random text, or let everybody ask with --public"
        )
    if options.token is not None and not (token or options.public):
        options.usage("the token is empty: give one, or leave out --token and VOILEARN_TOKEN")
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        options.usage("a token is made of ASCII letters, digits and signs, without spaces")
    check_is_a_file(options.model)
    if options.trust and not is_compiled(options.model):
        print(TRUST.format(shown(options.model)), file=sys.stderr)
    log_as_json()
    serve(
        Options(options.model, host, options.port, token, origins, options.trust),
        lambda url, _model: put(f"{url} (documentation: {url}/docs)"),
    )
    return 0
