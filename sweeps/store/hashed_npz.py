"""Arrays as the bytes of an npz file that carries its own SHA-256; never a pickle.

Any program that reads npz reads these files: `numpy.load(path)["facts"]`.

Each array is deflated only where that at least halves it. Deflating weights is slow and
saves little; 100 MB of normal float32, seconds of one core (Linux, 2 shared cores):

    stored, its SHA-256 included    0.24 s    100.0 MB    what is chosen here; read in 0.21 s
    deflated at level 1             2.7 s      92.9 MB
    deflated at level 6             3.5 s      92.6 MB    as rnnlab/checkpoint.py did

Zeros (100 MB: 0.26 s, 0.4 MB) and the JSON of a trial's checks (49 kB: 1 ms, 10 kB) shrink.
Writing and reading take up to three times the memory of the largest array, beside the file.
"""

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

SHA256, ENDING = "sha256", ".npy"
WORTH_DEFLATING = 0.5
"""An array is deflated where a sample of it shrinks to this share or less."""
SAMPLES, SAMPLE_BYTES = 16, 4096
LARGE = 2**20
"""Bytes from which on an array is deflated at the fastest level."""


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Return arrays as the bytes of an npz file; equal arrays give equal bytes.

    Args:
        arrays: Arrays by name, none of objects, none called "sha256".
    """
    digest = np.frombuffer(_digest(arrays), dtype=np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, array in {**arrays, SHA256: digest}.items():
            _write(file, name, array)
    return buffer.getvalue()


def unpacked(data: bytes) -> dict[str, Array]:
    """Return the arrays of an npz file that carries its SHA-256, writable and C-ordered.

    Raises:
        ValueError: If the bytes are damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            arrays = {
                each.removesuffix(ENDING): _read(file, each) for each in file.namelist()
            }
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError("not readable as npz") from error
    if SHA256 not in arrays or arrays.pop(SHA256).tobytes() != _digest(arrays):
        raise ValueError("its SHA-256 does not fit")
    return arrays


def _write(file: zipfile.ZipFile, name: str, array: Array) -> None:
    member = io.BytesIO()
    np.lib.format.write_array(member, array, allow_pickle=False)
    deflated = _shrinks(member.getbuffer())
    file.writestr(
        zipfile.ZipInfo(name + ENDING),  # of a fixed date
        member.getvalue(),
        compress_type=zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED,
        compresslevel=1 if array.nbytes >= LARGE else 6,
    )


def _read(file: zipfile.ZipFile, name: str) -> Array:
    # All of the member is read first, so that its CRC is checked before numpy makes room
    # for as many numbers as a damaged header may ask for.
    member = io.BytesIO(file.read(name))
    array: Array = np.lib.format.read_array(member, allow_pickle=False)
    return np.array(array, order="C", copy=None)


def _shrinks(data: memoryview) -> bool:
    """Return whether deflating is worthwhile, judged by a sample from all over the data."""
    apart = max(len(data) // SAMPLES, SAMPLE_BYTES)
    sample = b"".join(
        data[start : start + SAMPLE_BYTES] for start in range(0, len(data), apart)
    )
    return len(zlib.compress(sample, 1)) <= WORTH_DEFLATING * len(sample)


def _digest(arrays: Mapping[str, Array]) -> bytes:
    """Return a SHA-256 of names, dtypes, shapes and bytes; order and packing do not matter."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()
