"""Streams that pickle's own machine would stumble over: each opcode where it does not belong.

They stand before a good export, and what they leave is thrown away: a reader may do as pickle does,
which refuses most of them. It may not crash, hang or take more than its share.
"""

import struct

from tests.attacks.assemble import OP, call, listed, mapped, name, number, raw, several, text
from tests.attacks.misread import get, put
from tests.attacks.workshop import Workshop, add, attack


def eight(length: int) -> bytes:
    return struct.pack("<Q", length)


def four(length: int) -> bytes:
    return struct.pack("<i", length)


LIST = name("builtins", "list")
# what it is, and the opcodes
STUMBLES: list[tuple[str, str, bytes]] = [
    ("unknown_opcode", "an opcode that no protocol has", b"\xff"),
    ("zero_opcode", "a byte of nothing", b"\x00"),
    ("mark_alone", "a mark that nothing ends", OP.MARK),
    ("mark_as_value", "a mark taken for a value", OP.MARK + OP.TUPLE1),
    ("mark_called", "a mark that is called", OP.MARK + OP.EMPTY_TUPLE + OP.REDUCE),
    ("mark_stored", "a mark in the memo", OP.MARK + put(5) + OP.POP + get(5)),
    ("mark_doubled", "a mark, twice", OP.MARK + OP.DUP),
    ("mark_missing", "a list of all back to no mark", OP.NONE + OP.LIST),
    ("marks_crossed", "pairs across two marks", OP.EMPTY_DICT + OP.MARK + OP.NONE + OP.SETITEM),
    ("pop_too_much", "more thrown away than there was", OP.POP * 3),
    ("pop_mark_missing", "all back to no mark thrown away", OP.POP_MARK),
    ("memo_huge", "a place of the memo beyond all", OP.NONE + put(2**31 - 1)),
    ("memo_largest", "the last place of all", OP.NONE + put(2**32 - 1)),
    ("memo_negative", "a place below the first", OP.NONE + OP.PUT + b"-1\n"),
    ("memo_text", "a place that is no number", OP.NONE + OP.PUT + b"one\n"),
    ("memo_absent", "a place where nothing is", OP.GET + b"999999\n"),
    ("memo_absent_binary", "a place where nothing is", get(2**31)),
    ("memoize_nothing", "nothing, remembered", OP.POP * 2 + OP.MEMOIZE),
    ("stop_early", "an end in the middle", OP.NONE + OP.STOP),
    ("frame_huge", "a frame longer than the file", OP.FRAME + eight(2**63)),
    ("frame_short", "a frame that ends in an opcode", OP.FRAME + eight(1) + text("x")),
    ("protocol_6", "a protocol that is not there yet", OP.PROTO + b"\x06"),
    ("protocol_255", "the last protocol of all", OP.PROTO + b"\xff"),
    ("out_of_band", "a buffer that is elsewhere", OP.NEXT_BUFFER + OP.READONLY_BUFFER),
    ("bytearray_huge", "a bytearray of 2^63", OP.BYTEARRAY8 + eight(2**63)),
    (
        "bytearray_large",
        "a bytearray of 4 GB, of which none is there",
        OP.BYTEARRAY8 + eight(2**32),
    ),
    ("bytes_huge", "bytes of 2^63", OP.BINBYTES8 + eight(2**63)),
    ("text_huge", "a text of 2^64 - 1", OP.BINUNICODE8 + eight(2**64 - 1)),
    ("text_negative", "a text of Python 2, of less than nothing", OP.BINSTRING + four(-1)),
    ("text_broken", "a text that is no UTF-8", OP.BINUNICODE + four(2) + b"\xff\xfe"),
    ("text_halves", "half a character", text("\ud800")),
    ("text_escapes", "a text of Python 2 with escapes", OP.STRING + b"'\\x41\\'\\\n"),
    ("text_unquoted", "a text of Python 2 with no end", OP.STRING + b"'a\n"),
    ("long_negative", "a number of less than no bytes", OP.LONG4 + four(-1)),
    ("long_huge", "a number of 2 GB", OP.LONG4 + four(2**31 - 1)),
    ("long_digits", "a number of a million digits", OP.LONG + b"9" * 1_000_000 + b"L\n"),
    ("int_digits", "a number of a million digits", OP.INT + b"9" * 1_000_000 + b"\n"),
    ("int_text", "a number that is none", OP.INT + b"0x10\n"),
    ("int_letters", "digits of another alphabet", OP.INT + "٣\n".encode()),
    ("line_without_end", "a line that does not end", OP.UNICODE + b"a" * 1_000_000),
    ("float_nan", "no number", OP.FLOAT + b"nan\n"),
    ("float_huge", "a number beyond all", OP.FLOAT + b"1e99999\n"),
    ("float_text", "a number that is none", OP.FLOAT + b"one\n"),
    ("key_list", "a list for a key", OP.EMPTY_DICT + OP.EMPTY_LIST + OP.NONE + OP.SETITEM),
    ("key_dict", "a dict in a set", OP.EMPTY_SET + OP.MARK + OP.EMPTY_DICT + OP.ADDITEMS),
    ("key_deep", "a list in a tuple for a key", OP.MARK + several(listed()) + OP.NONE + OP.DICT),
    ("key_record", "an object for a key", OP.MARK + call(LIST) + OP.NONE + OP.DICT),
    ("key_frozen", "a list in a frozenset", OP.MARK + OP.EMPTY_LIST + OP.FROZENSET),
    ("items_odd", "a key without a value", OP.EMPTY_DICT + OP.MARK + OP.NONE + OP.SETITEMS),
    ("dict_odd", "a key without a value", OP.MARK + OP.NONE + OP.DICT),
    ("items_of_none", "pairs for what holds none", OP.NONE + OP.MARK + OP.NONE * 2 + OP.SETITEMS),
    ("items_of_text", "items for a text", text("a") + OP.NONE + OP.APPEND),
    ("items_of_tuple", "items for a tuple", OP.EMPTY_TUPLE + OP.NONE + OP.APPEND),
    ("items_of_class", "pairs for a class (CVE-2026-24747)", LIST + OP.NONE * 2 + OP.SETITEM),
    ("build_list", "a state for a list", OP.EMPTY_LIST + mapped() + OP.BUILD),
    ("build_number", "a state for a number", number(1) + mapped(a=OP.NONE) + OP.BUILD),
    ("build_none", "a state for nothing", OP.NONE + mapped() + OP.BUILD),
    ("build_class", "a state for a class", LIST + mapped(append=OP.NONE) + OP.BUILD),
    ("build_nothing", "a state, and nothing to put it into", OP.POP * 9 + OP.BUILD),
    ("call_text", "a text that is called", text("os.system") + OP.EMPTY_TUPLE + OP.REDUCE),
    ("call_with_list", "arguments that are a list", LIST + OP.EMPTY_LIST + OP.REDUCE),
    ("call_with_none", "no arguments at all", LIST + OP.NONE + OP.NEWOBJ),
    (
        "call_ex_odd",
        "arguments by name that are a text",
        LIST + several() + text("a") + OP.NEWOBJ_EX,
    ),
    ("object_of_nothing", "an object of no class", OP.MARK + OP.OBJ),
    (
        "name_of_bytes",
        "a name in bytes (modelscan 338)",
        raw(b"os") + text("system") + OP.STACK_GLOBAL,
    ),
    ("name_of_number", "a number for a name", number(42) + text("os") + OP.STACK_GLOBAL),
    ("name_empty", "a name of no letters", name("", "")),
    ("name_unended", "a name that does not end", OP.GLOBAL + b"os"),
    ("name_not_utf8", "a name that is no text", OP.GLOBAL + b"\xff\n\xfe\n"),
    ("persistent_text", "a persistent id in words", OP.PERSID + b"storage\n"),
    ("persistent_none", "a persistent id of nothing", OP.NONE + OP.BINPERSID),
    ("persistent_self", "an id of an id", OP.NONE + OP.BINPERSID * 3),
    ("persistent_short", "an id of one part", several(text("storage")) + OP.BINPERSID),
    ("extension_absent", "a class by a number that nobody registered", OP.EXT1 + b"\x05"),
    ("extension_four", "the same by four bytes", OP.EXT4 + four(-1)),
]
# What pickle lets pass, or leaves to whoever uses it: opened, it must not have changed anything.
HARMLESS = {
    *("mark_alone", "memo_huge", "memo_largest", "text_halves", "text_escapes", "int_letters"),
    *("float_nan", "float_huge", "key_record", "frame_huge", "frame_short", "memo_negative"),
    *("protocol_6", "protocol_255", "items_of_class", "call_text", "name_empty", "text_unquoted"),
    *("persistent_text", "persistent_none", "persistent_self", "persistent_short"),
}

for label, what, opcodes in STUMBLES:

    def build(shop: Workshop, opcodes: bytes = opcodes) -> bytes:
        return shop.smuggle(opcodes, protocol=5)

    add("machine", label, f"pickle's machine: {what}", build, opens=label in HARMLESS)


@attack()
def every_opcode_first(shop: Workshop) -> bytes:
    """Each opcode there is, in turn, on an empty stack: the first that needs one is refused."""
    return shop.zipped(b"".join(vars(OP).values()) + shop.pickled)


@attack()
def no_stop(shop: Workshop) -> bytes:
    """The good pickle without its end."""
    return shop.zipped(shop.pickled[:-1])


@attack(opens=True)
def two_stops(shop: Workshop) -> bytes:
    """The good pickle, and behind its end another."""
    return shop.zipped(shop.pickled + call(name("os", "system"), text(shop.command)) + OP.STOP)


@attack()
def nothing_at_all(shop: Workshop) -> bytes:
    """A pickle of no bytes."""
    return shop.zipped(b"")


@attack()
def learner_is_a_name(shop: Workshop) -> bytes:
    """The root is the class Learner, not a learner."""
    return shop.instead(OP.NONE + OP.POP + name("fastai.learner", "Learner"))


@attack()
def learner_is_a_cycle(shop: Workshop) -> bytes:
    """A learner whose state is the learner."""
    made = name("fastai.learner", "Learner") + OP.EMPTY_TUPLE + OP.NEWOBJ
    return shop.instead(made + OP.DUP + OP.BUILD)


@attack()
def learner_of_nested_lists(shop: Workshop) -> bytes:
    """A learner whose parts are lists in lists, 100,000 deep."""
    deep = listed() + (OP.EMPTY_LIST + put(9) + OP.POP + OP.TUPLE1) * 100_000
    made = name("fastai.learner", "Learner") + OP.EMPTY_TUPLE + OP.NEWOBJ
    return shop.instead(made + mapped(dls=deep, model=deep, loss_func=deep) + OP.BUILD)


@attack()
def learner_of_a_list_in_itself(shop: Workshop) -> bytes:
    """A learner whose parts are one list, which holds itself."""
    loop = OP.EMPTY_LIST + put(9) + get(9) + OP.APPEND
    made = name("fastai.learner", "Learner") + OP.EMPTY_TUPLE + OP.NEWOBJ
    return shop.instead(made + mapped(dls=loop, model=loop, loss_func=loop) + OP.BUILD)
