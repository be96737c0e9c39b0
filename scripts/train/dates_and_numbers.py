"""Pairs for models/transformer-dates: dates and numbers between English words and digits.

    "the twenty-third of March, nineteen ninety-four", "March 23rd, 1994", …  ->  "1994-03-23"
    "1994-03-23", "1994/03/23"                                                ->  "the twenty-third of March, nineteen ninety-four"
    "four thousand and twelve", "Four thousand twelve", …                     ->  "4012"
    "4012", "4,012"                                                           ->  "four thousand and twelve"

Many forms go in, one form comes out; which way follows from the input. One date in fifty, and one number from 100 on in fifty,
is held out: never seen in training, in no form and in neither direction.
"""

import calendar
import random
import zlib

YEARS = range(1400, 2100)
NUMBERS = range(0, 1_000_000)
HELD_OUT_OF = 50  # One in so many.

UNITS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
         "eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MONTHS = "January February March April May June July August September October November December".split()
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
            "twelve": "twelfth", "twenty": "twentieth", "thirty": "thirtieth"}


def below_hundred(n):
    if n < 20:
        return UNITS[n]
    tens = TENS[n // 10 - 2]
    return f"{tens}-{UNITS[n % 10]}" if n % 10 else tens


def below_thousand(n, joint):
    if n < 100:
        return below_hundred(n)
    hundreds = UNITS[n // 100] + " hundred"
    return hundreds + joint + below_hundred(n % 100) if n % 100 else hundreds


def number_words(n, joint=" and ", after_thousands=" "):
    """4012 -> "four thousand and twelve". `joint` is what stands before what is below a hundred: " and ", or " "."""
    if n < 1000:
        return below_thousand(n, joint)
    thousands, rest = below_thousand(n // 1000, joint) + " thousand", n % 1000
    if not rest:
        return thousands
    return thousands + (joint if rest < 100 else after_thousands) + below_thousand(rest, joint)


def ordinal_words(day):
    """23 -> "twenty-third"."""
    head, hyphen, last = below_hundred(day).rpartition("-")
    return head + hyphen + ORDINALS.get(last, last + "th")


def ordinal_digits(day):
    """23 -> "23rd"."""
    return str(day) + ("th" if 10 < day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th"))


def year_words(year):
    """1994 -> "nineteen ninety-four", 1905 -> "nineteen oh five", 1900 -> "nineteen hundred", 2005 -> "two thousand and five"."""
    century, rest = divmod(year, 100)
    if century % 10 == 0 and rest < 10:
        return number_words(year)
    if rest == 0:
        return below_hundred(century) + " hundred"
    return below_hundred(century) + (" oh " if rest < 10 else " ") + below_hundred(rest)


def is_held_out(kind, value):
    if kind == "number" and value < 100:
        return False
    return zlib.crc32(f"{kind} {value}".encode()) % HELD_OUT_OF == 0


def iso(date):
    return "%04d-%02d-%02d" % date


def date_words(date):
    year, month, day = date
    return f"the {ordinal_words(day)} of {MONTHS[month - 1]}, {year_words(year)}"


def some_date(rng, held_out):
    while True:
        year, month = rng.choice(YEARS), rng.randint(1, 12)
        date = (year, month, rng.randint(1, calendar.monthrange(year, month)[1]))
        if is_held_out("date", iso(date)) == held_out:
            return date


def some_number(rng, held_out):
    """Of one to six digits: mostly long ones, of which there are more."""
    while True:
        digits = rng.choices(range(1, 7), weights=(1, 2, 4, 7, 8, 8))[0]
        n = rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)
        if is_held_out("number", n) == held_out:
            return n


def recased(rng, text):
    """As it is, with a capital first, or without capitals."""
    kind = rng.random()
    return text.lower() if kind < 0.25 else text[0].upper() + text[1:] if kind < 0.45 else text


def spaced(rng, text):
    """With its hyphens, or with spaces in their place."""
    return text.replace("-", " ") if rng.random() < 0.2 else text


def some_year_form(rng, year):
    if rng.random() < 0.4:
        return str(year)
    century, rest = divmod(year, 100)
    others = []
    if century % 10 == 0:
        others = [number_words(year), number_words(year, joint=" ")]
    elif rest:
        others = [f"{below_hundred(century)} hundred and {below_hundred(rest)}"]
    return rng.choice(others) if others and rng.random() < 0.2 else year_words(year)


def some_date_form(rng, date):
    year, month, day = date
    month = MONTHS[month - 1]
    if rng.random() < 0.15:
        month = month[:3]
    day = rng.choices((ordinal_words(day), ordinal_digits(day), str(day)), weights=(5, 2, 2))[0]
    year = some_year_form(rng, year)
    comma = rng.choice((",", ""))
    article = "" if day.isdigit() or rng.random() < 0.2 else "the "
    middle = " " if day.isdigit() or rng.random() < 0.1 else " of "
    forms = (f"{article}{day}{middle}{month}{comma} {year}", f"{month} {article}{day}{comma} {year}")
    return recased(rng, spaced(rng, rng.choices(forms, weights=(2, 1))[0]))


def some_number_form(rng, n):
    joint = rng.choices((" and ", " "), weights=(3, 1))[0]
    if 1100 <= n < 10_000 and n // 100 % 10 and rng.random() < 0.15:  # "twelve hundred and forty"
        hundreds, rest = divmod(n, 100)
        words = below_hundred(hundreds) + " hundred" + (joint + below_hundred(rest) if rest else "")
    else:
        words = number_words(n, joint, rng.choices((" ", ", "), weights=(3, 1))[0])
    if words.startswith(("one hundred", "one thousand")) and rng.random() < 0.25:
        words = "a" + words.removeprefix("one")
    return recased(rng, spaced(rng, words))


def words_to_date(rng, held_out):
    date = some_date(rng, held_out)
    return some_date_form(rng, date), iso(date)


def date_to_words(rng, held_out):
    date = some_date(rng, held_out)
    return (iso(date) if rng.random() < 0.8 else iso(date).replace("-", "/")), date_words(date)


def words_to_number(rng, held_out):
    n = some_number(rng, held_out)
    return some_number_form(rng, n), str(n)


def number_to_words(rng, held_out):
    n = some_number(rng, held_out)
    return (f"{n:,}" if rng.random() < 0.3 else str(n)), number_words(n)


KINDS = (words_to_date, date_to_words, words_to_number, number_to_words)


def pairs(count, seed, held_out=False):
    """`count` pairs (input, output), of each kind a fourth, in an order of their own."""
    rng = random.Random(seed)
    found = [KINDS[i % len(KINDS)](rng, held_out) for i in range(count)]
    rng.shuffle(found)
    return found


def held_out_pairs(count):
    """`count` pairs of dates and numbers that training never sees, no input twice, a fourth of each kind."""
    rng, found = random.Random("held out"), {}
    while len(found) < count:
        source, target = KINDS[len(found) % len(KINDS)](rng, True)
        found.setdefault(source, target)
    return list(found.items())


if __name__ == "__main__":
    for source, target in held_out_pairs(40):
        print(f"{source}\t{target}")
