#!/usr/bin/env python3
"""Writes include/axiform/text/unicode_tables.hpp.

No Unicode library gives Hugging Face's token ids: the tokenizers crate mixes Unicode versions. So this script asks the pinned crate
itself, for every scalar value, what it does with it, and writes the answers down as compact tables.

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3
    venv/bin/python scripts/make_unicode_tables.py
"""
import pathlib
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

PINNED = "0.23.3"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]

# Bits of a record; the C++ side names them in text/unicode.hpp.
DROPPED, WHITESPACE, IDEOGRAPH, MARK, PUNCTUATION, DECOMPOSES, LOWERS = 1, 2, 4, 8, 16, 32, 64
LETTER, NUMBER, REGEX_SPACE, WORD, REORDERS = 128, 256, 384, 512, 1024
NUMERIC, ACCENT, COMPATIBILITY = 1 << 14, 1 << 15, 1 << 16
# Parts of letters, of numbers and of the rest, in three bits from the eleventh on; what is in none of them has 0 there.
PARTS = {r"\p{Lu}": 1, r"\p{Ll}": 2, r"\p{Lt}": 3, r"\p{Lm}": 4, r"\p{Nd}": 1, r"\p{M}": 1, r"\p{P}": 2, r"\p{S}": 3}


def bert(**settings):
  off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
  return normalizers.BertNormalizer(**{**off, **settings}).normalize_str


def regex_class(pattern):
  """The scalars that the crate's regular expressions match."""
  splitter = pre_tokenizers.Split(Regex(pattern), "removed")
  found = set()
  for begin in range(0, len(SCALARS), 4096):
    part = SCALARS[begin:begin + 4096]
    kept = set()
    for _, (first, last) in splitter.pre_tokenize_str("".join(map(chr, part))):
      kept.update(part[first:last])
    found.update(c for c in part if c not in kept)
  return found


def numeric_characters():
  """The scalars that `Digits` sees."""
  split = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str
  found = set()
  for begin in range(0, len(SCALARS), 4096):
    part = SCALARS[begin:begin + 4096]
    found.update(part[first // 2] for _, (first, last) in split("".join("x" + chr(c) for c in part)) if last == first + 1 and first % 2)
  return found


def compositions(decompositions, nfc):
  """Pairs that compose: what each composite that NFC keeps is made of, the last code point of its decomposition and all before it."""
  pairs = {}
  for c, text in decompositions.items():
    if nfc(chr(c)) != chr(c):
      continue
    first = nfc(text[:-1])
    assert len(first) == 1 and nfc(first + text[-1]) == chr(c), hex(c)
    pairs[ord(first), ord(text[-1])] = c
  return pairs


def word_characters():
  """The scalars next to which an added token of single_word does not match."""
  tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
  tokenizer.add_tokens([AddedToken("(t)", single_word=True, normalized=False)])
  token = tokenizer.token_to_id("(t)")
  return {c for c in SCALARS if token not in tokenizer.encode(chr(c) + "(t)").ids}


def combining_classes(nfd):
  """Canonical combining classes as the crate orders by them: found by sorting each scalar against marks of known class."""
  import unicodedata
  first, last = "\u0334", "\u0345"  # classes 1 and 240, the lowest and the highest
  references = {}
  for c in SCALARS:
    value = unicodedata.combining(chr(c))
    if value and nfd(chr(c)) == chr(c) and (nfd(chr(c) + first) != chr(c) + first or nfd(last + chr(c)) != last + chr(c)):
      references.setdefault(value, chr(c))
  values = sorted(references)
  classes = {}
  for c in SCALARS:
    if 0xAC00 <= c < 0xAC00 + 11172:
      continue
    s = chr(c)
    if nfd(s) != s or (nfd(s + first) == s + first and nfd(last + s) == last + s and s not in (first, last)):
      continue
    for value in values:
      r = references[value]
      if nfd(s + r) == s + r and nfd(r + s) == r + s:
        classes[c] = value
        break
    else:
      raise SystemExit(f"U+{c:04X} sorts like no reference")
  return classes


def probe():
  clean, ideograph = bert(clean_text=True), bert(handle_chinese_chars=True)
  strip, lower = bert(strip_accents=True), bert(lowercase=True)
  nfd, nfc, nfkd = (form().normalize_str for form in (normalizers.NFD, normalizers.NFC, normalizers.NFKD))
  strip_accents = normalizers.StripAccents().normalize_str
  split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
  letters, numbers, spaces = regex_class(r"\p{L}"), regex_class(r"\p{N}"), regex_class(r"\s")
  assert not (letters & numbers or letters & spaces or numbers & spaces)
  words, numeric = word_characters(), numeric_characters()
  parts = {}
  for pattern, value in PARTS.items():
    for c in regex_class(pattern):
      assert c not in parts and c not in spaces, hex(c)
      parts[c] = value << 11
  classes = combining_classes(nfd)

  records, decompositions, compatible, lowered = {}, {}, {}, {}
  for c in SCALARS:
    s, bits = chr(c), 0
    cleaned = clean(s)
    pieces = len(split("a" + s + "a"))
    assert cleaned in ("", " ", s) and pieces in (1, 2, 3)
    bits |= DROPPED * (cleaned == "") | WHITESPACE * (pieces == 2) | PUNCTUATION * (pieces == 3)
    if cleaned != "":
      assert (cleaned == " ") == (pieces == 2), hex(c)
    in_ideograph = ideograph(s)
    assert in_ideograph in (s, f" {s} ")
    bits |= IDEOGRAPH * (in_ideograph != s)
    decomposed = nfd(s)
    if decomposed != s:
      bits |= DECOMPOSES
      if not 0xAC00 <= c < 0xAC00 + 11172:
        decompositions[c] = decomposed
    elif strip(s) == "":
      bits |= MARK
    if nfkd(s) != decomposed:
      bits |= COMPATIBILITY
      compatible[c] = nfkd(s)
    if lower(s) != s:
      bits |= LOWERS
      lowered[c] = lower(s)
    bits |= LETTER * (c in letters) | NUMBER * (c in numbers) | REGEX_SPACE * (c in spaces)
    bits |= WORD * (c in words) | REORDERS * (c in classes)
    bits |= parts.get(c, 0) | NUMERIC * (c in numeric) | ACCENT * (strip_accents(s) == "")
    records[c] = bits

  # What the tables assume; a newer crate may break it, and must not do so in silence.
  for c, text in decompositions.items():
    assert strip(chr(c)) == "".join(d for d in text if not records[ord(d)] & MARK), hex(c)
    assert all(not records[ord(d)] & DECOMPOSES for d in text), hex(c)
  for c, text in compatible.items():
    assert all(not records[ord(d)] & (DECOMPOSES | COMPATIBILITY) for d in text), hex(c)
  for c in range(0xAC00, 0xAC00 + 11172):
    s = c - 0xAC00
    jamo = chr(0x1100 + s // 588) + chr(0x1161 + s % 588 // 28) + (chr(0x11A7 + s % 28) if s % 28 else "")
    assert nfd(chr(c)) == jamo and nfc(jamo) == chr(c), hex(c)
  assert [c for c, text in lowered.items() if len(text) > 1] == [0x130] and lowered[0x130] == "i\u0307"
  return records, decompositions, compatible, compositions(decompositions, nfc), lowered, classes


def pooled(mappings):
  """Code points in order, the place in a pool << 5 | the length of what each becomes, and the pool."""
  pool, places = [], []
  for c, text in sorted(mappings.items()):
    places.append(len(pool) << 5 | len(text))
    pool += [ord(d) for d in text]
  assert max(map(len, mappings.values())) < 32
  return sorted(mappings), places, pool


def numbers(values, form, width=132):
  lines, line = [], " "
  for value in values:
    item = " " + form(value) + ","
    if len(line) + len(item) > width:
      lines.append(line)
      line = " "
    line += item
  return "\n".join(lines + [line])


def literal(text, width=120):
  escape = lambda part: part.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
  return "\n".join(f'    "{escape(text[i:i + width])}"' for i in range(0, len(text), width))


def main():
  if tokenizers.__version__ != PINNED:
    raise SystemExit(f"tokenizers {tokenizers.__version__} is installed, {PINNED} is the reference")
  records, decompositions, compatible, pairs, lowered, classes = probe()

  unique = sorted(set(records.values()))
  index_of = {bits: i for i, bits in enumerate(unique)}
  assert len(unique) <= 78, len(unique)
  symbol = [chr(48 + i) for i in range(len(unique))]
  shift = 7
  blocks, stage1, stage2 = {}, [], ""
  for begin in range(0, 0x110000, 1 << shift):
    block = "".join(symbol[index_of[records.get(c, 0)]] for c in range(begin, begin + (1 << shift)))
    if block not in blocks:
      blocks[block] = len(blocks)
      stage2 += block
    stage1.append(blocks[block])

  canonical = pooled(decompositions)
  compatibility = pooled(compatible)
  ranges = []
  for c, value in sorted(classes.items()):
    if ranges and ranges[-1][1] == c - 1 and ranges[-1][2] == value:
      ranges[-1][1] = c
    else:
      ranges.append([c, c, value])

  hexadecimal = lambda value: f"0x{value:X}"
  simple_lower = [(c, ord(text[0])) for c, text in sorted(lowered.items())]
  out = f"""/// @file
/// Unicode as tokenizers {PINNED} has it. Generated by scripts/make_unicode_tables.py, which probes it for every scalar value: do not edit.
#pragma once

#include <cstdint>

#include <axiform/core/config.hpp>

// clang-format off
namespace axiform::detail::unicode_tables {{

// The distinct records; text/unicode.hpp names the bits.
inline constexpr std::uint32_t records[] = {{
{numbers(unique, hexadecimal)}
}};

// A code point's record is records[stage2[stage1[c >> {shift}] << {shift} | (c & {(1 << shift) - 1})] - '0'].
inline constexpr unsigned shift = {shift};
inline constexpr std::uint16_t stage1[] = {{
{numbers(stage1, str)}
}};
inline constexpr char stage2[] =
{literal(stage2)};

// Canonical decompositions, Hangul syllables apart: code points in order, and for each its place in the pool << 5 | its length.
inline constexpr std::uint32_t decomposition_keys[] = {{
{numbers(canonical[0], hexadecimal)}
}};
inline constexpr std::uint32_t decomposition_places[] = {{
{numbers(canonical[1], hexadecimal)}
}};
inline constexpr std::uint32_t decomposition_pool[] = {{
{numbers(canonical[2], hexadecimal)}
}};

// Compatibility decompositions that are not canonical ones, in the same form.
inline constexpr std::uint32_t compatibility_keys[] = {{
{numbers(compatibility[0], hexadecimal)}
}};
inline constexpr std::uint32_t compatibility_places[] = {{
{numbers(compatibility[1], hexadecimal)}
}};
inline constexpr std::uint32_t compatibility_pool[] = {{
{numbers(compatibility[2], hexadecimal)}
}};

// Pairs that compose, Hangul apart: first << 32 | second in order, and what each becomes.
inline constexpr std::uint64_t composition_keys[] = {{
{numbers([a << 32 | b for a, b in sorted(pairs)], hexadecimal)}
}};
inline constexpr std::uint32_t composition_values[] = {{
{numbers([c for _, c in sorted(pairs.items())], hexadecimal)}
}};

// Lower-case letters, in order of their capitals. U+0130 is the only one that becomes two code points: i and U+0307.
inline constexpr std::uint32_t lower_case_keys[] = {{
{numbers([c for c, _ in simple_lower], hexadecimal)}
}};
inline constexpr std::uint32_t lower_case_values[] = {{
{numbers([d for _, d in simple_lower], hexadecimal)}
}};

// Canonical combining classes that are not zero: first, last, class.
struct CombiningClassRange {{
  std::uint32_t first;
  std::uint32_t last;
  std::uint8_t value;
}};
inline constexpr CombiningClassRange combining_classes[] = {{
{numbers(ranges, lambda r: "{" + f"0x{r[0]:X}, 0x{r[1]:X}, {r[2]}" + "}")}
}};

}}  // namespace axiform::detail::unicode_tables
"""
  path = pathlib.Path(__file__).resolve().parent.parent / "include/axiform/text/unicode_tables.hpp"
  path.write_text(out)
  print(f"{path}: {len(out)} bytes, {len(unique)} records, {len(blocks)} blocks", file=sys.stderr)


if __name__ == "__main__":
  main()
