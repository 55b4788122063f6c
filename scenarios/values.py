"""Values as a planner writes them: durations, times, dates, rates, shares, positions, gradings.

Each reader takes the text of one scalar and raises ``ValueError`` with a sentence for people; scenarios/fields.py puts
the place to it.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, get_args

from scenarios.model import Span
from scenarios.text_yaml import shorten
from schemas.limits import UINT_MS_MAX
from schemas.report import MICRODEGREES, Grading, InformationGrade, Observed, Quality, SourceGrade

DURATION_MS_MAX: Final = 60 * 24 * 3_600_000  # the longest exercises of the field run for some weeks
NUMBER_MAX: Final = 2**53 - 1
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_BITS: Final = {"bit": 1, "kbit": 1_000, "mbit": 1_000_000, "gbit": 1_000_000_000}
_DURATION_PART: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d)", re.ASCII)
_DURATION: Final = re.compile(r"(?:\d{1,9}(?:ms|s|m|h|d))+", re.ASCII)
_CLOCK: Final = re.compile(r"T([+-])(\d{1,3}):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_DATETIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)? ?(?:(Z|UTC)|([+-])(\d\d):?(\d\d)?)?", re.ASCII
)
_RATE: Final = re.compile(r"(\d{1,9}) ?([kKmMgG]?bit)(?:/s)?", re.ASCII)
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,4})?) ?%", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,16}", re.ASCII)
METRES_PER_NAUTICAL_MILE: Final = 1_852
_SHIPS_POSITION: Final = re.compile(
    r"(\d{1,2})[- ](\d{1,2}(?:\.\d{1,3})?)'? ?([NS])[, ]+(\d{1,3})[- ](\d{1,2}(?:\.\d{1,3})?)'? ?([EW])",
    re.ASCII,
)
_DECIMAL_POSITION: Final = re.compile(r"(-?\d{1,2}\.\d{1,6})[, ]+(-?\d{1,3}\.\d{1,6})", re.ASCII)
_DISTANCE: Final = re.compile(r"(\d{1,5}(?:\.\d)?) ?(nm|km|m)", re.ASCII)
_METRES: Final = {"nm": METRES_PER_NAUTICAL_MILE, "km": 1_000, "m": 1}
_QUALITIES: Final[tuple[Quality, ...]] = get_args(Quality)


def read_duration_ms(text: str) -> int:
    """Read ``90s``, ``1h30m``, ``700ms`` or a plain ``0``.

    Raises:
        ValueError: If it is none of them.
    """
    compact = text.replace(" ", "")
    if compact == "0":
        return 0
    if _DURATION.fullmatch(compact) is None:
        msg = f"'{shorten(text)}' is no duration; write for example 90s, 20m or 1h30m"
        raise ValueError(msg)
    total = sum(int(count) * _UNITS_MS[unit] for count, unit in _DURATION_PART.findall(compact))
    if total > DURATION_MS_MAX:
        msg = f"'{shorten(text)}' is longer than 60 days"
        raise ValueError(msg)
    return total


def read_span(text: str) -> Span:
    """Read ``5m``, ``5m..12m`` or ``700ms +-200ms``.

    Raises:
        ValueError: If it is none of them, or runs backwards.
    """
    if ".." in text:
        least_ms, most_ms = (read_duration_ms(part) for part in text.split("..", maxsplit=1))
    elif "+-" in text or "±" in text:
        middle_ms, spread_ms = (read_duration_ms(part) for part in text.replace("±", "+-").split("+-", maxsplit=1))
        least_ms, most_ms = max(0, middle_ms - spread_ms), middle_ms + spread_ms
    else:
        least_ms = most_ms = read_duration_ms(text)
    if most_ms < least_ms:
        msg = f"'{shorten(text)}' runs backwards; write the shorter time first"
        raise ValueError(msg)
    return Span(least_ms=least_ms, most_ms=most_ms)


def read_exercise_time_ms(text: str) -> int:
    """Read ``T+01:30``, ``T+5m`` or ``T-00:10``: milliseconds from STARTEX, negative before it.

    Raises:
        ValueError: If it is none of them.
    """
    compact = text.replace(" ", "")
    clock = _CLOCK.fullmatch(compact)
    if clock is not None:
        sign, hours, minutes, seconds = clock.groups()
        value = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds or 0)) * 1_000
        return -value if sign == "-" else value
    if compact[:2] in {"T+", "T-"}:
        value = read_duration_ms(compact[2:])
        return -value if compact[1] == "-" else value
    msg = f"'{shorten(text)}' is no exercise time; write for example T+01:30 or T+5m"
    raise ValueError(msg)


def read_datetime(text: str) -> datetime:
    """Read ``2027-03-14 03:10 +07`` or, for a date alone, its midnight in UTC.

    Raises:
        ValueError: If it is none of them, or gives a time of day without a zone.
    """
    found = _DATETIME.fullmatch(text.strip())
    if found is None:
        msg = f"'{shorten(text)}' is no date and time; write for example 2027-03-14 03:10 +07"
        raise ValueError(msg)
    year, month, day, hour, minute, second, utc, sign, zone_hours, zone_minutes = found.groups()
    if hour is not None and utc is None and sign is None:
        msg = f"'{shorten(text)}' names no time zone; add for example +07 or Z"
        raise ValueError(msg)
    offset = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
    zone = timezone(-offset if sign == "-" else offset)
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
        unix_ms = datetime_ms(moment)
    except (ValueError, OverflowError) as error:
        msg = f"'{shorten(text)}' is no day or time of the calendar"
        raise ValueError(msg) from error
    if not 0 <= unix_ms <= UINT_MS_MAX:
        msg = f"'{shorten(text)}' lies before 1970"
        raise ValueError(msg)
    return moment


def datetime_ms(moment: datetime) -> int:
    """Return a moment as Unix milliseconds, by integers only."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def read_rate(text: str) -> int:
    """Read ``256kbit``: bits per second.

    Raises:
        ValueError: If it is no rate, or nothing at all.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        msg = f"'{shorten(text)}' is no rate; write for example 256kbit or 2mbit"
        raise ValueError(msg)
    return int(found[1]) * _BITS[found[2].lower()]


def read_share(text: str) -> float:
    """Read ``95%``: 0.95.

    Raises:
        ValueError: If it is no percentage, or above 100 %.
    """
    found = _SHARE.fullmatch(text.strip())
    if found is None or float(found[1]) > 100:  # noqa: PLR2004 - a percentage
        msg = f"'{shorten(text)}' is no percentage; write for example 95%"
        raise ValueError(msg)
    return float(found[1]) / 100


def read_threshold(text: str) -> float:
    """Read a threshold of a measure: ``95%`` or a count such as ``0``.

    Raises:
        ValueError: If it is neither.
    """
    return read_share(text) if "%" in text else float(read_number(text))


def read_number(text: str) -> int:
    """Read a whole number.

    Raises:
        ValueError: If it is none, or larger than every language's reader keeps exact.
    """
    compact = text.strip().replace("_", "")
    if not compact.isascii() or _NUMBER.fullmatch(compact) is None or int(compact) > NUMBER_MAX:
        msg = f"'{shorten(text)}' is no whole number"
        raise ValueError(msg)
    return int(compact)


def read_yes_or_no(text: str) -> bool:
    """Read ``yes`` or ``no``.

    Raises:
        ValueError: If it is neither.
    """
    match text.strip().lower():
        case "yes" | "true":
            return True
        case "no" | "false":
            return False
        case _:
            msg = f"'{shorten(text)}' is neither yes nor no"
            raise ValueError(msg)


def read_position(text: str) -> tuple[int, int]:
    """Read ``01-04.2N 103-42.8E`` or ``1.07, 103.71333``: millionths of a degree.

    Raises:
        ValueError: If it is neither, or lies off the Earth.
    """
    ships, decimal = _SHIPS_POSITION.fullmatch(text.strip()), _DECIMAL_POSITION.fullmatch(text.strip())
    if ships is not None:
        south_north, west_east = (
            (int(ships[first]) * MICRODEGREES + round(float(ships[first + 1]) * MICRODEGREES / 60))
            * (-1 if ships[first + 2] in {"S", "W"} else 1)
            for first in (1, 4)
        )
        minutes_fit = float(ships[2]) < 60 and float(ships[5]) < 60  # noqa: PLR2004 - minutes of arc
    elif decimal is not None:
        south_north, west_east = (round(float(decimal[part]) * MICRODEGREES) for part in (1, 2))
        minutes_fit = True
    else:
        msg = f"'{shorten(text)}' is no position; write 01-04.2N 103-42.8E or 1.07, 103.71333"
        raise ValueError(msg)
    if not minutes_fit or abs(south_north) > 90 * MICRODEGREES or abs(west_east) > 180 * MICRODEGREES:
        msg = f"'{shorten(text)}' lies off the Earth"
        raise ValueError(msg)
    return south_north, west_east


def read_distance_m(text: str) -> int:
    """Read ``2nm``, ``3.5km`` or ``800m``: metres.

    Raises:
        ValueError: If it is none of them.
    """
    found = _DISTANCE.fullmatch(text.strip())
    if found is None:
        msg = f"'{shorten(text)}' is no distance; write for example 2nm or 800m"
        raise ValueError(msg)
    return round(float(found[1]) * _METRES[found[2]])


def read_observed(text: str, start_ms: int) -> Observed:
    """Read when something happened: ``T-00:12 approximate``, ``T+10m..T+25m`` or dates of the scenario.

    Raises:
        ValueError: If it is none of them.
    """
    words = text.strip().rsplit(" ", maxsplit=1)
    quality: Quality = "exact"
    for known in _QUALITIES:
        if words[-1] == known:
            quality, text = known, words[0]
    begin, _, end = text.partition("..")
    return Observed(
        begin=read_moment(begin.strip(), start_ms),
        end=read_moment(end.strip(), start_ms) if end else None,
        quality=quality,
    )


def read_moment(text: str, start_ms: int) -> int:
    """Read a time of the exercise, or a date and time of the scenario: Unix ms.

    Raises:
        ValueError: If it is neither.
    """
    if text.startswith("T"):
        return max(0, start_ms + read_exercise_time_ms(text))
    return datetime_ms(read_datetime(text))


def read_grading(text: str) -> Grading:
    """Read the Admiralty code, such as ``B2``.

    Raises:
        ValueError: If it is none.
    """
    for source in get_args(SourceGrade):
        for information in get_args(InformationGrade):
            if text.strip() == f"{source}{information}":
                return Grading(source, information)
    msg = f"'{shorten(text)}' is no grading; write a letter A to F and a digit 1 to 6, such as B2"
    raise ValueError(msg)
