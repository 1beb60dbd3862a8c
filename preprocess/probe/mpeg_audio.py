"""MP3 frames found by their headers (ISO/IEC 11172-3, 2.4.1.3), for files that begin otherwise."""

from __future__ import annotations

_LAYER_3_KBPS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # MPEG-1
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG-2, low rates
)
_RATES_HZ = (44_100, 48_000, 32_000)
_FRAMES_IN_A_ROW = 3
"""Two bytes that look like a header turn up anywhere; three frames that meet do not."""


def frame_bytes(data: bytes, at: int) -> int | None:
    """Length of the MP3 frame whose header is at *at*; ``None`` if it is none (ISO/IEC 11172-3)."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    version, rate, kbps = data[at + 1] >> 3 & 3, data[at + 2] >> 2 & 3, data[at + 2] >> 4
    if version == 1 or rate == 3 or kbps in (0, 15):
        return None
    halvings = {3: 0, 2: 1, 0: 2}[version]
    bit_rate = 1000 * _LAYER_3_KBPS[min(halvings, 1)][kbps]
    samples_by_8 = 144 if not halvings else 72
    return samples_by_8 * bit_rate // (_RATES_HZ[rate] >> halvings) + (data[at + 2] >> 1 & 1)


def holds_mp3(data: bytes) -> bool:
    """Whether MP3 frames follow each other somewhere in *data*."""
    start = data.find(b"\xff")
    while start >= 0:
        place, frames = start, 0
        while frames < _FRAMES_IN_A_ROW and (length := frame_bytes(data, place)):
            place, frames = place + length, frames + 1
        if frames == _FRAMES_IN_A_ROW:
            return True
        start = data.find(b"\xff", start + 1)
    return False
