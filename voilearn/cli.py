"""The door from a shell: `voilearn classify`, `inspect`, `compile` and `serve`.

In come a command and file names; out go lines of text or JSON, and an exit code. Each command
imports its rooms when it runs, so that asking for help loads no torch.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from voilearn import __version__
from voilearn.errors import UnusableModel, VoilearnError, printable, shown
from voilearn.missing import missing
from voilearn.shell.terminal import (
    MOST,
    NotPrinted,
    Once,
    Parser,
    as_folder,
    as_path,
    leave,
    leaving_at_once,
    put,
    silence,
)

if TYPE_CHECKING:
    from voilearn.prediction import Classify

    Commands: TypeAlias = "argparse._SubParsersAction[Parser]"

MODEL_HELP = "an export.pkl, or an export.onnx that has its export.json beside it"
SERVICE_HELP = (
    "the address of a service to ask, with VOILEARN_TOKEN as its token if that variable is set "
    "(default: none, a model is opened here)"
)
PHOTO_HELP = "a photo's file, a folder of photos, a pattern, or - for one on standard input"
ORIGIN_HELP = (
    "a web page's origin whose scripts may ask, and that may show the page in a frame, as "
    "https://example.org; or *; may be given several times (default: none)"
)
RUNTIME_HELP = (
    "what answers for an export.pkl: auto, its compiled form where one is kept and the learner "
    "until then, or learner (default: the variable VOILEARN_RUNTIME, or auto)"
)
NO_SCOPE_HELP = (
    "answer as the model alone does, without what `voilearn evaluate` found of it: the raw "
    "probabilities, and no word on what is out of scope"
)
BEGUN = (
    "voilearn: the model is being compiled in the background, to answer within a second next time"
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
        print(f"voilearn: {missing(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except NotPrinted as error:
        silence(sys.stdout)
        if error.reason:
            print(f"voilearn: Nothing can be written out: {error.reason}.", file=sys.stderr)
        return 1


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
        _add_evaluate,
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
    classify.add_argument("photos", nargs="+", metavar="PHOTO", help=PHOTO_HELP)
    whom = classify.add_mutually_exclusive_group()
    _add_model(whom)
    whom.add_argument("--service", action=Once, metavar="URL", help=SERVICE_HELP)
    how = classify.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print a JSON object for each")
    how.add_argument("--csv", action="store_true", help="print a table for a spreadsheet")
    classify.add_argument(
        "--watch", action="store_true", help="answer each photo that comes into the folders named"
    )
    classify.add_argument("--trust", action="store_true", help=TRUST_HELP)
    _add_runtime(classify)
    _add_no_scope(classify)
    classify.set_defaults(run=_classify, usage=classify.error)


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
    fewer = compile.add_mutually_exclusive_group()
    fewer.add_argument(
        "--int8", action="store_true", help="smaller and faster, if good enough on --photos"
    )
    _add_weights(fewer, 32)
    compile.add_argument(
        "--keep",
        action="store_true",
        help="write nothing here, but what this user's other commands answer by from now on",
    )
    compile.set_defaults(run=_compile, usage=compile.error)


def _add_weights(parser: "argparse._ActionsContainer", default: int) -> None:
    parser.add_argument(
        "--weights",
        type=int,
        choices=(8, 16, 32),
        default=default,
        help="the bits that each weight of the network has in the file: with fewer it is smaller, "
        "and as fast; more are taken if the answers change (default: %(default)s)",
    )


def _add_evaluate(commands: "Commands") -> None:
    told = "tell how good a model is on photos whose classes are known, and write its scope"
    evaluate = commands.add_parser("evaluate", help=told, description=_sentence(told))
    evaluate.add_argument("model", type=as_path, metavar="MODEL", help=MODEL_HELP)
    evaluate.add_argument(
        "photos",
        type=as_path,
        metavar="PHOTOS",
        help="a folder with one in it for each class, or a CSV file with a column of files and one "
        "of labels; best photos that the model was not trained on",
    )
    evaluate.add_argument(
        "--out-of-scope",
        type=as_path,
        metavar="DIR",
        help="photos of anything else, best some hundred of several kinds, each in a folder, which "
        "the model is to say that it does not know (default: pictures made by code alone)",
    )
    evaluate.add_argument(
        "-o",
        dest="report",
        type=as_path,
        metavar="FILE",
        help="write a report as one HTML page, with small copies of photos (default: none)",
    )
    evaluate.add_argument("--json", action="store_true", help="print a JSON object")
    evaluate.add_argument(
        "--show-nearest",
        action="store_true",
        help="beside each mistake in the report, show the photo that is most alike to the model",
    )
    evaluate.add_argument(
        "--no-scope",
        action="store_true",
        help="measure only: write no export.scope.json beside the model",
    )
    evaluate.add_argument("--trust", action="store_true", help=TRUST_HELP)
    evaluate.set_defaults(run=_evaluate)


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
    _add_runtime(serve)
    _add_no_scope(serve)
    serve.add_argument(
        "--drain",
        type=_up_to(3600),
        default=1.0,
        metavar="SECONDS",
        help="how long it still answers after it was told to end, while those who send photos here "
        "notice that it is not ready any more (default: %(default)s)",
    )
    serve.add_argument(
        "--shadow",
        type=as_path,
        metavar="FILE",
        help="a second model: its answers are shown to nobody, /metrics counts how often they "
        "differ (default: none)",
    )
    serve.add_argument(
        "--shadow-share",
        type=_up_to(1),
        default=0.1,
        metavar="SHARE",
        help="the part of the photos that the second model is shown, from 0 to 1 (default: "
        "%(default)s)",
    )
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
        "--port",
        type=int,
        default=0,
        help="the page's port; 0 is any that is free (default: %(default)s)",
    )
    page.add_argument(
        "--no-browser", action="store_true", help="say the page's address, and open no browser"
    )
    page.add_argument(
        "--lab",
        action="store_true",
        help="open the page's notebook in JupyterLab: app.ipynb beside the model, or a new one",
    )
    _add_runtime(page)
    _add_no_scope(page)
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
    new.add_argument(
        "--space",
        action="store_true",
        help="make it ready for a Space on Hugging Face, too: an image, and the README's head",
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
    device.add_argument(
        "--decoder",
        type=as_path,
        metavar="FILE",
        help="the same of libheif, which opens HEIC photos where a browser can't "
        "(default: download it)",
    )
    device.add_argument(
        "--weights",
        type=int,
        choices=(8, 16, 32),
        help="how many bits each weight is to have in the page's model, for an export.pkl: with "
        "fewer a visitor downloads less; more are taken if the answers change (default: 8)",
    )
    device.set_defaults(run=_device, usage=device.error)


def _add_model(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--model",
        action=Once,
        type=as_path,
        default=Path("export.pkl"),
        metavar="FILE",
        help=f"{MODEL_HELP} (default: %(default)s)",
    )


def _up_to(most: float) -> Callable[[str], float]:
    """Return what reads an option that is a number from 0 to `most`."""

    def number(written: str) -> float:
        with contextlib.suppress(ValueError):
            if 0 <= (found := float(written)) <= most:
                return found
        raise argparse.ArgumentTypeError(f"{written!r} is no number from 0 to {most:g}")

    return number


def _add_runtime(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runtime", choices=("auto", "learner"), help=RUNTIME_HELP)


def _add_no_scope(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-scope", action="store_true", help=NO_SCOPE_HELP)


def _classify(options: argparse.Namespace) -> int:
    try:
        return _classify_photos(options)
    except KeyboardInterrupt:
        leave(130)


def _classify_photos(options: argparse.Namespace) -> int:
    from voilearn.no_file import STDIN
    from voilearn.shell.answers import print_answers
    from voilearn.shell.lines import as_csv, as_json, csv_heading, in_words
    from voilearn.shell.photos import named, watched

    if sum(name in STDIN for name in options.photos) > 1:
        options.usage("standard input has one photo: name it once")
    photos = watched(options.photos) if options.watch else named(options.photos)
    counted = None if options.watch else named(options.photos)
    with leaving_at_once():
        classify, classes, at_once = _opened(options)
    line = as_json if options.json else as_csv(classes) if options.csv else in_words
    if options.csv:
        put(csv_heading(classes))
    return int(print_answers(classify, photos, at_once, line, counted) > 0)


def _opened(options: argparse.Namespace) -> tuple["Classify", tuple[str, ...], int]:
    """Return what answers, its classes, and how many photos it is given at once."""
    if options.service is not None:
        if options.trust:
            options.usage("a service has opened its model already: leave out --trust")
        if options.no_scope:
            options.usage("a service has opened its model already: leave out --no-scope")
        from voilearn.client.remote import Remote
        from voilearn.shell.patience import AT_ONCE, Patient

        token = os.environ.get("VOILEARN_TOKEN")
        service = Remote(options.service, token, setting="--service")
        return Patient(service), service.model().classes, AT_ONCE
    from voilearn.machine import granted_cores
    from voilearn.model import is_compiled, keep_form, load_classify

    if options.trust and not is_compiled(options.model):
        print(TRUST.format(shown(options.model)), file=sys.stderr)
    classify = load_classify(
        options.model, options.trust, runtime=options.runtime, scope=not options.no_scope
    )
    begun = not options.trust and keep_form(options.model, classify, options.runtime)
    if begun and sys.stderr.isatty():
        print(BEGUN, file=sys.stderr)
    return classify, classify.info.classes, granted_cores()


def _inspect(options: argparse.Namespace) -> int:
    from voilearn.model import is_compiled
    from voilearn.shell.lines import error_as_json

    try:
        return (_inspect_compiled if is_compiled(options.model) else _inspect_export)(options)
    except VoilearnError as error:
        if not options.json:
            raise
        put(error_as_json("path", str(options.model), error))
        return 1


def _inspect_export(options: argparse.Namespace) -> int:
    from voilearn.compiled.kept import look
    from voilearn.describe import describe
    from voilearn.model import inspect_export, runtime_of
    from voilearn.scope import scope_of

    export = inspect_export(options.model)
    form = look(export.sha256) if runtime_of(None) == "auto" else None
    told = {**export.to_dict(), "compiled": form and form.to_dict(), "scope": None}
    if options.json:
        with contextlib.suppress(UnusableModel):  # a damaged one is the hindrance then
            scope = scope_of(options.model, export.sha256)
            told["scope"] = scope and scope.to_dict()
    put(json.dumps(told) if options.json else describe(export, form))
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
    from voilearn.model import check_libraries

    check_not_compiled(options.model)
    check_libraries(options.model)
    quiet_libraries()
    if options.keep:
        return _keep(options)
    from voilearn.compiled.compile import compile_learner

    compiled = compile_learner(
        options.model,
        options.folder,
        options.photos,
        options.int8,
        _say,
        weights=options.weights,
    )
    file = options.folder / "export.onnx"
    size = f"{compiled.bytes / 1e6:.1f} MB, {compiled.numbers}"
    put(f"{printable(str(file), MOST)} ({size}) and export.json written")
    put(f"agreement with learn.predict: {compiled.agreement}")
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    try:
        return _evaluate_photos(options)
    except KeyboardInterrupt:  # nothing is written then
        leave(130)


def _evaluate_photos(options: argparse.Namespace) -> int:
    from voilearn.learner.quiet import quiet_libraries
    from voilearn.model import is_compiled

    quiet_libraries()
    if options.trust and not is_compiled(options.model):
        print(TRUST.format(shown(options.model)), file=sys.stderr)
    from voilearn.evaluate.evaluate import evaluate, write_scope
    from voilearn.evaluate.lines import in_lines
    from voilearn.evaluate.report import report, write_report
    from voilearn.model_file import scope_beside
    from voilearn.shell.progress import counted

    found = evaluate(
        options.model,
        options.photos,
        options.out_of_scope,
        options.trust,
        options.show_nearest,
        counted,
        _say,
    )
    put(json.dumps(found.to_dict()) if options.json else "\n".join(in_lines(found)))
    say = _say_nothing if options.json else put
    if is_compiled(options.model):
        say("A scope is made of an export.pkl, and compiled with it: none is written here.")
    elif not options.no_scope:
        beside = scope_beside(options.model)
        write_scope(found, beside)
        changes = found.scope.terms or found.scope.temperature is not None
        told = "the model's answers go by it" if changes else "it changes no answer"
        say(f"{printable(str(beside), MOST)} written: {told} from now on")
    if options.report:  # last, for what is found is kept then, whatever becomes of the page
        write_report(options.report, report(found))
        say(f"{printable(str(options.report), MOST)} written")
    return 0


def _say_nothing(line: str) -> None:
    """Leave out what is no JSON."""


def _keep(options: argparse.Namespace) -> int:
    from voilearn.compiled.kept import NotKept, make

    if options.int8 or options.photos or options.folder != Path() or options.weights != 32:
        options.usage("--keep goes with no other option: what is kept is as good as the learner")
    found = make(options.model)
    if isinstance(found, NotKept):
        raise UnusableModel(f"{shown(options.model)} has no compiled form: {found.reason}")
    put(f"{shown(options.model)} is compiled and kept: {found.compiled.agreement}")
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

    show_page(
        model, options.port, not options.no_browser, put, options.runtime, not options.no_scope
    )
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
    for line in write_app(options.folder, options.model, repository, options.space):
        put(line)
    return 0


def _say(line: str) -> None:
    """Tell what goes on, where it takes long."""
    print(f"voilearn: {line} …", file=sys.stderr, flush=True)


def _device(options: argparse.Namespace) -> int:
    from voilearn.device.build import build
    from voilearn.learner.quiet import quiet_libraries
    from voilearn.model import check_libraries, is_compiled
    from voilearn.model_file import check_is_a_file

    quiet_libraries()
    model: Path = options.model
    if not model.is_dir():
        check_is_a_file(model)
        if not is_compiled(model):
            check_libraries(model)
    folder = model if model.is_dir() else model.parent
    if options.weights and (model.is_dir() or is_compiled(model)):
        options.usage("--weights is for an export.pkl: what is compiled already is taken as it is")
    notebook = options.notebook or folder / "app.ipynb"
    weights = options.weights or 8
    put(
        build(
            model,
            notebook,
            options.folder,
            options.runtime,
            _say,
            weights,
            options.decoder,
        )
    )
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
    if options.shadow:
        check_is_a_file(options.shadow)
    serve(
        Options(
            options.model,
            host,
            options.port,
            token,
            origins,
            options.trust,
            options.runtime,
            drain=options.drain,
            shadow=options.shadow,
            shadow_share=options.shadow_share,
            scope=not options.no_scope,
        ),
        lambda url, _model: put(f"{url} (documentation: {url}/docs)"),
    )
    return 0
