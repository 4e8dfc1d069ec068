# SPDX-License-Identifier: Apache-2.0
"""state: all values of the scopes shared and pair, and one hash over them that a change updates cheaply.

The hash is a tree of two levels: a path belongs to one of 256 buckets (CRC-32 of the path, low octet), a
bucket's digest is blake2b-256 over the canonical msgpack of its sorted [path, value] list, and the state's is
blake2b-256 over the 256 digests. Equal states have equal hashes however they came about; a change rehashes
one bucket (some 20 settings of 5,000) instead of all; and two units find where they differ by comparing
buckets. Values are canonical plaintext, and nothing that is per unit is among them (synchronisation.md).

Immutable: `replaced()` shares what did not change. Knows no schema: what a newer firmware set is hashed and
carried along like everything else. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from zlib import crc32

from ..packing import array_header, pack, unpack
from .values import Plain

BUCKETS = 256
DIGEST_SIZE = 32  # octets

_Bucket = dict[str, bytes]  # path: msgpack of [path, value]


def _bucket_digest(bucket: _Bucket) -> bytes:
    octets = b"".join([array_header(len(bucket)), *(bucket[path] for path in sorted(bucket))])
    return blake2b(octets, digest_size=DIGEST_SIZE).digest()


def _bucket_of(path: str) -> int:
    return crc32(path.encode("utf-8", "surrogatepass")) % BUCKETS


class State:
    """`State()` is empty; `State.of()` has these values."""

    __slots__ = ("_buckets", "_count", "_digest", "_digests")

    def __init__(self) -> None:
        self._buckets: list[_Bucket] = [_EMPTY] * BUCKETS
        self._digests: list[bytes] = [_EMPTY_DIGEST] * BUCKETS
        self._count = 0
        self._digest = b""

    @classmethod
    def of(cls, values: Mapping[str, Plain] | Iterable[tuple[str, Plain]]) -> State:
        return cls().replaced(dict(values))

    def replaced(self, changes: Mapping[str, Plain]) -> State:
        """This state with `changes` over it; None takes a value away."""
        after = State()
        after._buckets, after._digests = self._buckets.copy(), self._digests.copy()
        after._count = self._count
        touched: dict[int, _Bucket] = {}
        for path, value in changes.items():
            number = _bucket_of(path)
            bucket = touched.get(number)
            if bucket is None:
                bucket = touched[number] = after._buckets[number] = after._buckets[number].copy()
            after._count += (value is not None) - (path in bucket)
            if value is None:
                bucket.pop(path, None)
            else:
                bucket[path] = pack((path, value))
        for number, bucket in touched.items():
            after._digests[number] = _bucket_digest(bucket)
        return after

    def value(self, path: str) -> Plain:
        """None where there is none."""
        octets = self._buckets[_bucket_of(path)].get(path)
        return None if octets is None else unpack(octets)[1]

    def holds(self, path: str, value: Plain) -> bool:
        """Is exactly this value, or nothing for None, at that path?"""
        octets = self._buckets[_bucket_of(path)].get(path)
        return octets == (None if value is None else pack((path, value)))

    def items(self) -> Iterator[tuple[str, Plain]]:
        """Sorted by path."""
        for path, octets in sorted(item for bucket in self._buckets for item in bucket.items()):
            yield path, unpack(octets)[1]

    def paths(self) -> Iterator[str]:
        return (path for bucket in self._buckets for path in bucket)

    def __len__(self) -> int:
        return self._count

    @property
    def digest(self) -> bytes:
        """The hash of the whole state, 32 octets."""
        if not self._digest:
            self._digest = blake2b(b"".join(self._digests), digest_size=DIGEST_SIZE).digest()
        return self._digest

    @property
    def bucket_digests(self) -> tuple[bytes, ...]:
        """For a comparison that says where two states differ."""
        return tuple(self._digests)


_EMPTY: _Bucket = {}
_EMPTY_DIGEST = _bucket_digest(_EMPTY)
