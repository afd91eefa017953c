"""How hard are texts to guess? An estimate from a sample of them."""

import math
from collections import Counter

LOOKS_LIKE_64 = 60  # what random_bits() returns for 64 texts of 64 random bits is 60.7 to 67.3


def random_bits(texts):
    """Estimate how many random bits each of these texts has, character by character."""
    return sum(bits_of_a_character(column) for column in zip(*texts, strict=False))


def bits_of_a_character(sample):
    """Estimate how many random bits a character has, by counting the equal pairs in a sample.

    For example, if each character is one of 16, at random, 1 pair in 16 is equal: that is 4 bits.
    """
    equal = sum(math.comb(count, 2) for count in Counter(sample).values())
    return math.log2(math.comb(len(sample), 2) / max(equal, 1))
