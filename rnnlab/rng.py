"""Random numbers as a pure function of (trial seed, purpose, index, example, block).

The generator is counter-based, so a trial's numbers depend on nothing else: not on the
order of the trials, the pack, the worker, or interruptions of training. It is
Philox-4x32 with 10 rounds (Salmon, Moraes, Dror & Shaw, *Parallel random numbers: as
easy as 1, 2, 3*, SC 2011, Section 3.3), tested against its published vectors.

Every function here is scalar Python over non-negative integers below 2**63, written so
that Numba computes the same numbers: a product of two 32-bit words may wrap in a signed
64-bit register, but it is masked to the 32 bits needed before use.
"""

TRAIN = 0
"""Purpose: the batch of an update; the index is the update, from 0."""
CHECK = 1
"""Purpose: the fresh sequences of a check; the index is the check, from 1."""
PROBE = 2
"""Purpose: the batch on which a check measures Ω; the index is the check, from 0."""
INIT = 3
"""Purpose: initial parameters; the index is the parameter."""

TEST = 4
"""Purpose: the fresh sequences of a test after training; the index is their length."""

WORD = 0xFFFFFFFF
ROUNDS = 10
_MULTIPLIER_0 = 0xD2511F53
_MULTIPLIER_1 = 0xCD9E8D57
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85


def philox(
    c0: int, c1: int, c2: int, c3: int, k0: int, k1: int
) -> tuple[int, int, int, int]:
    """Encrypt a counter of four 32-bit words under a key of two.

    Args:
        c0: First word of the counter, 0 to 2**32 − 1, as all of them.
        c1: Second word.
        c2: Third word.
        c3: Fourth word.
        k0: First word of the key.
        k1: Second word.

    Returns:
        Four independent uniform 32-bit words.

    Example:
        >>> [hex(word) for word in philox(0, 0, 0, 0, 0, 0)]
        ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    for _ in range(ROUNDS):
        product_0 = _MULTIPLIER_0 * c0
        product_1 = _MULTIPLIER_1 * c2
        c0 = ((product_1 >> 32) & WORD) ^ c1 ^ k0
        c2 = ((product_0 >> 32) & WORD) ^ c3 ^ k1
        c1 = product_1 & WORD
        c3 = product_0 & WORD
        k0 = (k0 + _WEYL_0) & WORD
        k1 = (k1 + _WEYL_1) & WORD
    return c0, c1, c2, c3


def words(
    seed: int, purpose: int, index: int, example: int, block: int
) -> tuple[int, int, int, int]:
    """Draw four uniform 32-bit words; equal arguments always give equal words.

    Args:
        seed: The trial's seed, 0 to 2**32 − 1.
        purpose: `TRAIN`, `CHECK`, `PROBE`, `INIT` or `TEST`.
        index: Index of the update, check or parameter, 0 to 2**63 − 1.
        example: Index of the sequence in the batch, or of the row.
        block: Index of the block of four words within the example.
    """
    return philox(block, example, index & WORD, index >> 32, seed, purpose)


def below(word: int, n: int) -> int:
    """Map a 32-bit word to an integer uniform over 0..n−1.

    Args:
        word: Uniform, 32 bits.
        n: 1 to 2**31. The bias of the multiply-and-shift is at most n / 2**32.

    Example:
        >>> below(0, 10), below(2**31, 10), below(2**32 - 1, 10)
        (0, 5, 9)
    """
    return (word * n) >> 32
