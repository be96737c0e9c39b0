"""Compresses bytes as the pages do, and inflates them with zlib: deflate_test.py PAGES (the program built from pages.cpp)."""

import random
import subprocess
import sys
import unittest
import zlib


class Deflate(unittest.TestCase):
    def size_of(self, data, piece=1 << 20):
        """The size of the stream, which zlib turns into `data` again, and which has nothing behind its end."""
        stream = subprocess.run([sys.argv[1], "--deflate", str(piece)], input=data, stdout=subprocess.PIPE, check=True).stdout
        inflate = zlib.decompressobj(-15)
        self.assertEqual(inflate.decompress(stream), data)
        self.assertTrue(inflate.eof and not inflate.unused_data)
        return len(stream)

    def test_zlib_inflates_what_was_there(self):
        draw = random.Random(1)
        for size in [*range(20), 258, 259, 260, 268, 269, 270, 526, 527, 65535, 65536, 65537, 200000]:
            for data in (bytes(size), b"\xff" * size, bytes(i % 256 for i in range(size)), draw.randbytes(size), bytes(draw.choices(b"ab", [99, 1], k=size))):
                self.size_of(data)
        for length in range(1, 300):  # runs of every length, alone and between others
            self.size_of(bytes(length) + b"a" * 300 + bytes(length))

    def test_pieces_are_one_stream(self):
        data = random.Random(2).randbytes(5000) + bytes(5000)
        for piece in (1, 7, 100, 9999):
            self.size_of(data[:20000 if piece > 1 else 300], piece)

    def test_codes_that_would_be_too_long(self):
        counts = [1, 1]
        while sum(counts) < 60000:  # Fibonacci's numbers make the deepest tree
            counts.append(counts[-1] + counts[-2])
        data = [byte for byte, count in enumerate(counts) for _ in range(count)]
        random.Random(3).shuffle(data)
        self.size_of(bytes(data))

    def test_it_is_as_small_as_zlib_with_the_same_means(self):
        draw = random.Random(4)
        for weights in ([8, 4, 2, 1, 1], [100, 1, 1], [1] * 200):
            data = bytes(draw.choices(range(len(weights)), weights, k=100000))
            for strategy in (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE):
                compress = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy)
                self.assertLess(self.size_of(data), 1.01 * len(compress.compress(data) + compress.flush()))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
