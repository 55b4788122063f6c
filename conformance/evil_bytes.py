"""Layer L0: bytes that two readers could take for two messages, and labels that are not quite labels."""

from functools import partial

from conformance.evil_book import Book, Made, drop, named, put, world
from schemas.codec import pack
from schemas.errors import Code
from schemas.limits import ARRAY_ITEMS_MAX, LABEL_ITEMS_MAX, NESTING_DEPTH_MAX, UINT_MS_MAX

L0 = Book(
    layer="L0",
    notes={
        "TwoReadings": {
            "bug": "AUTH_BYPASS",
            "why": "parsers differ on what the bytes say, so two readers of one signature see two messages",
            "refs": ["keybase/client#423", "msgpack/msgpack#215"],
        },
        "Allocation": {"bug": "DENIAL_OF_SERVICE", "why": "a few bytes announce gigabytes or a million levels"},
        "Type": {"bug": "MISPARSING", "why": "a loosely typed reader folds two types into one value"},
        "LabelGrammar": {"bug": "WIDENED_AUDIENCE", "why": "a word that looks like another is read as the other"},
    },
)

PLAIN = pack((1, "a", b"b", None, (2, 300)))
LABEL = world.LABEL._replace(compartments=("A", "B"), rel=("IDN", "bravo"), affected=("MYS",))


@L0.accepts("unpack", "ENV-001", why="control")
def plain_array() -> Made:
    """Every type that may stand in a message."""
    return Made(PLAIN)


@L0.accepts("unpack", "ENV-015", why="an integer that a reader rounds is another integer")
def largest_integer() -> Made:
    """The largest integer that a field may hold."""
    return Made(pack((UINT_MS_MAX,)))


@L0.accepts("unpack", "ENV-007", "ENV-089", why="the limit itself is allowed")
def nested_to_the_limit() -> Made:
    """Arrays nested as deep as they may be."""
    return Made(b"\x91" * NESTING_DEPTH_MAX + b"\xc0")


@L0.accepts("unpack", "ENV-009", "ENV-089", why="the limit itself is allowed")
def items_to_the_limit() -> Made:
    """An array of as many items as it may hold."""
    return Made(pack((None,) * ARRAY_ITEMS_MAX))


@L0.accepts("unpack", "ENV-003", "ENV-089", why="the limit itself is allowed")
def bytes_to_the_limit() -> Made:
    """Exactly as many bytes as the structure may have."""
    return Made(PLAIN, {"bytes_max": len(PLAIN)})


@L0.rejects(Code.TOO_BIG, "unpack", "ENV-003", base="bytes_to_the_limit", mutation="bytes_max one lower",
            why="what is parsed before it is measured can exhaust the reader")  # fmt: skip
def one_byte_too_many() -> Made:
    """One byte more than the structure may have."""
    return Made(PLAIN, {"bytes_max": len(PLAIN) - 1})


@L0.rejects(Code.DEPTH, "unpack", "ENV-007", base="nested_to_the_limit", mutation="one level more", flag="Allocation",
            why="deep nesting overflows the stack of recursive readers")  # fmt: skip
def nested_too_deep() -> Made:
    """Arrays nested one level too deep."""
    return Made(b"\x91" * (NESTING_DEPTH_MAX + 1) + b"\xc0")


@L0.rejects(Code.LIMIT, "unpack", "ENV-009", base="items_to_the_limit", mutation="one item more", flag="Allocation",
            why="an item of one byte costs a reader some fifty")  # fmt: skip
def one_item_too_many() -> Made:
    """An array of one item more than it may hold."""
    return Made(pack((None,) * (ARRAY_ITEMS_MAX + 1)))


def _rows() -> None:
    """Enter the rows: name, code, bytes, fault, why, flag, mutation."""
    two = "another spelling of the same value gives one message two ids"
    end = "an early end must not be taken for a default"
    rows = (
        ("empty", Code.TRUNCATED, b"", "No bytes at all.", end, None, "all bytes removed"),
        ("proper_prefix", Code.TRUNCATED, PLAIN[:-1], "The last byte is missing.", end, None, "last byte removed"),
        ("text_cut_short", Code.TRUNCATED, b"\x91\xa5ab", "A text declares more than follows.", end, None, "text cut"),
        ("array_of_four_billion", Code.TRUNCATED, b"\xdd\xff\xff\xff\xff\x00", "An array declares 2^32-1 items.",
         "memory must be bounded by what came, not by what is declared", "Allocation", "array32 header"),
        ("binary_of_four_billion", Code.TRUNCATED, b"\xc6\xff\xff\xff\xff\x00", "A binary declares 2^32-1 bytes.",
         "memory must be bounded by what came, not by what is declared", "Allocation", "bin32 header"),
        ("trailing_nil", Code.TRAILING, PLAIN + b"\xc0", "A nil follows the end.",
         "what follows can be swallowed by one reader and read by another", "TwoReadings", "c0 appended"),
        ("trailing_second_structure", Code.TRAILING, PLAIN + PLAIN, "The same structure follows once more.",
         "what follows can be swallowed by one reader and read by another", "TwoReadings", "itself appended"),
        ("map", Code.BAD_TYPE, b"\x81\xa1a\x01", "A map in place of an array.",
         "maps have no order and may repeat a key", "TwoReadings", "array replaced by map"),
        ("map_with_key_twice", Code.BAD_TYPE, b"\x82\xa1a\x01\xa1a\x02", "A map with one key twice.",
         "some readers keep the first value, others the last", "TwoReadings", "array replaced by map"),
        ("map_inside", Code.BAD_TYPE, b"\x92\x01\x80", "An empty map inside an array.",
         "maps have no order and may repeat a key", "TwoReadings", "item replaced by map"),
        ("map_of_four_billion", Code.BAD_TYPE, b"\xdf\xff\xff\xff\xff", "A map declares 2^32-1 pairs.",
         "memory must be bounded by what came", "Allocation", "map32 header"),
        ("extension", Code.BAD_TYPE, b"\x91\xd4\x05\x00", "An extension type.",
         "what an extension means is for each reader to choose", "TwoReadings", "item replaced by fixext1"),
        ("empty_extension", Code.BAD_TYPE, b"\x91\xc7\x00\x05", "An extension type without content.",
         "what an extension means is for each reader to choose", "TwoReadings", "item replaced by ext8"),
        ("timestamp", Code.BAD_TYPE, b"\x91\xd6\xff\x00\x00\x00\x01", "A timestamp of msgpack's own.",
         "a time has three spellings as a timestamp", "TwoReadings", "item replaced by timestamp32"),
        ("reserved_byte", Code.BAD_TYPE, b"\x91\xc1", "The byte that msgpack never uses.",
         "a reader that skips it reads something else", None, "item replaced by c1"),
        ("surrogate", Code.BAD_UTF8, b"\x91\xa3\xed\xa0\x80", "A text holds a surrogate.",
         "readers replace, drop or keep it", "TwoReadings", "text replaced"),
        ("overlong_text", Code.BAD_UTF8, b"\x91\xa2\xc0\xaf", "A text holds an overlong form of a slash.",
         "readers replace, drop or keep it", "TwoReadings", "text replaced"),
        ("uint8_for_zero", Code.NOT_CANONICAL, b"\x91\xcc\x00", "Zero in two bytes.", two, "TwoReadings", "cc00"),
        ("uint16_for_one", Code.NOT_CANONICAL, b"\x91\xcd\x00\x01", "One in three bytes.", two, "TwoReadings",
         "cd0001"),
        ("uint64_for_one", Code.NOT_CANONICAL, b"\x91\xcf" + bytes(7) + b"\x01", "One in nine bytes.", two,
         "TwoReadings", "cf…01"),
        ("signed_for_one", Code.NOT_CANONICAL, b"\x91\xd0\x01", "One as a signed integer.", two, "TwoReadings", "d001"),
        ("str8_for_one_letter", Code.NOT_CANONICAL, b"\x91\xd9\x01a", "A short text with a long header.", two,
         "TwoReadings", "d901"),
        ("bin16_for_one_byte", Code.NOT_CANONICAL, b"\x91\xc5\x00\x01a", "A short binary with a long header.", two,
         "TwoReadings", "c50001"),
        ("array16_for_one_item", Code.NOT_CANONICAL, b"\xdc\x00\x01\x01", "A short array with a long header.", two,
         "TwoReadings", "dc0001"),
        ("float32", Code.NOT_CANONICAL, b"\x91\xca\x3f\x80\x00\x00", "One as a float of 32 bits.", two, "Type", "ca"),
    )  # fmt: skip
    req = {
        Code.TRUNCATED: "ENV-004",
        Code.TRAILING: "ENV-005",
        Code.BAD_TYPE: "ENV-006",
        Code.BAD_UTF8: "ENV-008",
        Code.NOT_CANONICAL: "ENV-010",
    }
    for name, code, received, fault, why, flag, mutation in rows:
        enter = L0.rejects(code, "unpack", req[code], base="plain_array", mutation=mutation, why=why, flag=flag)
        enter(named(name, fault, partial(Made, received)))


_rows()


@L0.accepts("label", "NTK-001", why="control")
def label() -> Made:
    """A label with something in most of its parts."""
    return Made(pack(LABEL))


@L0.accepts("label", "NTK-002", "ENV-089", base="label", mutation="64 compartments", why="the limit itself is allowed")
def label_with_full_list() -> Made:
    """A list of as many items as it may hold."""
    return Made(pack(LABEL._replace(compartments=_words(LABEL_ITEMS_MAX))))


@L0.accepts("label", "ENV-016", "ENV-089", base="label", mutation="rel has an id of 32", why="the limit is allowed")
def label_with_longest_agency_id() -> Made:
    """An agency id of as many characters as it may have."""
    return Made(pack(LABEL._replace(rel=("a" * 32,))))


def _words(count: int) -> tuple[str, ...]:
    return tuple(f"C{number:03d}" for number in range(count))


def _label_rows() -> None:
    """Enter the rows: name, requirement, label, fault, why, flag."""
    grammar, kinds = "LabelGrammar", "Type"
    rows = (
        ("label_part_missing", "NTK-001", drop(10)(LABEL), "The embargo is missing.",
         "a reader with defaults fills in what was never signed", None),
        ("label_part_surplus", "NTK-001", (*LABEL, None), "A twelfth part.",
         "a part that only some readers know means two audiences", None),
        ("label_tlp_white", "NTK-003", put(0, "WHITE")(LABEL), "The TLP word of version 1.",
         "an unknown mark must refuse and not fall to a default", grammar),
        ("label_tlp_small_letters", "NTK-003", put(0, "red")(LABEL), "A TLP word in small letters.",
         "readers that compare capitals alone see no mark", grammar),
        ("label_tlp_binary", "ENV-013", put(0, b"RED")(LABEL), "The TLP word as binary.",
         "a reader that compares text with binary finds them different", kinds),
        ("label_list_unsorted", "NTK-002", put(3, ("B", "A"))(LABEL), "Compartments out of order.",
         "one set has one spelling", "TwoReadings"),
        ("label_list_repeats", "NTK-002", put(3, ("A", "A"))(LABEL), "A compartment twice.",
         "one set has one spelling", "TwoReadings"),
        ("label_list_too_long", "NTK-002", put(3, _words(LABEL_ITEMS_MAX + 1))(LABEL), "One compartment too many.",
         "every list is bounded", None),
        ("label_list_is_text", "ENV-011", put(3, "A")(LABEL), "A text in place of a list.",
         "some readers iterate over the letters", kinds),
        ("label_embargo_is_true", "ENV-012", put(10, True)(LABEL), "A truth value in place of a time.",
         "many languages take true for 1", kinds),
        ("label_embargo_is_float", "ENV-012", put(10, 1.0)(LABEL), "A float in place of a time.",
         "1.0 equals 1 in many languages", kinds),
        ("label_embargo_negative", "ENV-011", put(10, -1)(LABEL), "A time before 1970.",
         "an unsigned reader sees the far future", kinds),
        ("label_embargo_too_large", "ENV-011", put(10, UINT_MS_MAX + 1)(LABEL), "An integer of 2^53.",
         "readers with floating-point integers round it", kinds),
        ("label_state_with_line_feed", "ENV-017", put(8, ("MYS\n",))(LABEL), "A state with a line feed at its end.",
         "the dollar of many regular expressions matches before it", grammar),
        ("label_agency_with_line_feed", "ENV-016", put(5, ("bravo\n",))(LABEL), "An agency id with a line feed.",
         "the dollar of many regular expressions matches before it", grammar),
        ("label_agency_in_capitals", "ENV-016", put(5, ("Bravo",))(LABEL), "An agency id in capitals.",
         "a reader that folds case sees another agency's id", grammar),
        ("label_agency_homoglyph", "ENV-016", put(5, ("br\u0430vo",))(LABEL), "An agency id with a Cyrillic letter.",
         "a person cannot tell it from the id it imitates", grammar),
        ("label_agency_too_long", "ENV-016", put(5, ("a" * 33,))(LABEL), "An agency id of 33 characters.",
         "an id is also an MQTT client id and a topic level", None),
        ("label_agency_wildcard", "ENV-016", put(5, ("#",))(LABEL), "A wildcard as an agency.",
         "it would be every agency's topic", grammar),
        ("label_group_in_capitals", "ENV-018", put(5, ("@Region",))(LABEL), "A group in capitals.",
         "a reader that folds case sees another group", grammar),
        ("label_compartment_with_nul", "ENV-011", put(3, ("A\0",))(LABEL), "A compartment with a NUL.",
         "readers in C compare as far as the NUL", grammar),
        ("label_topic_ends_in_dot", "ENV-011", put(2, "toc.")(LABEL), "A topic that ends in a dot.",
         "a rule for toc.* may or may not match it", grammar),
    )  # fmt: skip
    for name, req, made, fault, why, flag in rows:
        enter = L0.rejects(
            Code.SHAPE, "label", req, base="label", mutation=fault[0].lower() + fault[1:-1], why=why, flag=flag
        )
        enter(named(name, fault, partial(Made, pack(made))))


_label_rows()
