"""What is on a disk, as PDisk takes it and gives it: the compressed (gzip) image."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import math
import zlib
from dataclasses import dataclass

_GB = 10**9
_GIB = 2**30
_BLANK_LIMIT_GIB = 1
_PIECE = 2**20
_PIECES_A_GIB = _GIB // _PIECE


@dataclass(frozen=True)
class Image:
    """An uncompressed image: its SHA-1 in hexadecimal, and the size of a disk that has room for it."""

    sha1: str
    size_gib: int


def image_in(contents: bytes) -> Image:
    """Look at the image in an uploaded file; a file that is not compressed is the image itself."""
    sha1, size = hashlib.sha1(usedforsecurity=False), 0
    try:
        with gzip.open(io.BytesIO(contents)) as image:
            while piece := image.read(_PIECE):
                sha1.update(piece)
                size += len(piece)
    except (OSError, EOFError, zlib.error):
        sha1, size = hashlib.sha1(contents, usedforsecurity=False), len(contents)
    return Image(sha1.hexdigest(), max(1, math.ceil(size / _GB)))


def blank(size_gib: int) -> bytes:
    """Return the content of a disk that was never written to: zeros, at most 1 GiB."""
    return _blank_piece() * (_PIECES_A_GIB * min(max(size_gib, 0), _BLANK_LIMIT_GIB))


@functools.cache
def _blank_piece() -> bytes:
    return gzip.compress(bytes(_PIECE), mtime=0)
