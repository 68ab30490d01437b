"""Make speech.npz.xz: spoken digits in 64 voices, synthesized by the pinned wheel of eSpeak NG.

python data/make_speech.py           writes the file beside this script
python data/make_speech.py --check   regenerates it and compares byte for byte

Repeatable on Linux x86-64 only (the synthesizer's noise is libc's), and only as a whole: eSpeak
keeps a hidden state from clip to clip, so one fresh process speaks all clips in one fixed order.
"""

import ctypes
import platform
import sys
import zipfile
from pathlib import Path

import numpy as np
from _wheels import fetch_wheel, main
from scipy.signal import butter, resample_poly, sosfilt

REQUIREMENT = "espeakng-loader==0.2.4"  # carries libespeak-ng 1.52.0 and its voices
SHA256 = "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d"
PLATFORM = "manylinux2014_x86_64"
ENGINE = "1.52.0"

WORDS = "zero one two three four five six seven eight nine"
ACCENTS = (  # every English there is in eSpeak NG but the one in Shavian letters
    "en-us en en-029 en-gb-scotland en-gb-x-gbclan en-gb-x-gbcwmd en-gb-x-rp en-us-nyc"
)
# 66 of the 104 variants were understood by two independent classifiers; near twins (clusters of
# log-mel spectra) stand on one side of the split.
TRAIN_VOICES = (
    "Alex AnxiousAndy Andy Diogo Henrique Hugo Marco Michael Mike Reed Storm Tweaky adam anika "
    "antonio aunty benjamin boris caleb ed edward edward2 f1 f2 grandma grandpa iven iven3 iven4 "
    "john klatt3 klatt4 klatt5 klatt6 linda m1 m2 m4 m5 m6 m8 max michel miguel mike2 pablo paul "
    "pedro quincy rob robert sandro"
)
TEST_VOICES = "Annie Denis Gene Gene2 Mario Nguyen f3 m3 m7 steph steph2 victor"
TRAIN_SETTINGS, ACCENTS_PER_TEST_VOICE = 160, 4

RATE = 8000  # Hz, of the file
FRAME = RATE // 100  # 10 ms: the window of the trimming and the margin that it leaves
FADE = RATE // 200  # 5 ms
PEAK = 120  # of 127: loud, and rounding cannot clip


class Espeak:
    """The few calls of the C library that speak one word into an array (speak_lib.h)."""

    _RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER
    _SYNCHRONOUS, _DONT_EXIT, _UTF8 = 2, 0x8000, 1

    def __init__(self, folder: Path):
        self._library = ctypes.CDLL(str(folder / "libespeak-ng.so"))
        self._library.espeak_Info.restype = ctypes.c_char_p
        version = self._library.espeak_Info(None).decode()
        assert version.startswith(ENGINE), f"expected eSpeak NG {ENGINE}, got {version}"
        self._variants = folder / "espeak-ng-data" / "voices" / "!v"
        data = str(folder / "espeak-ng-data").encode()
        self.rate = self._library.espeak_Initialize(self._SYNCHRONOUS, 0, data, self._DONT_EXIT)
        assert self.rate == 22050, f"expected 22050 Hz, got {self.rate}"
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # of breath; else from the clock
        self._chunks: list[np.ndarray] = []
        receiver = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._receiver = receiver(self._receive)  # kept: the library holds only a bare pointer
        self._library.espeak_SetSynthCallback(self._receiver)

    def _receive(self, samples, count, events) -> int:
        if samples and count:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, word: str, accent: str, variant: str, rate: int, pitch: int, range_: int):
        """16-bit samples at 22,050 Hz."""
        # An unknown variant would be ignored in silence.
        assert (self._variants / variant).is_file(), f"no voice {variant}"
        failed = self._library.espeak_SetVoiceByName(f"{accent}+{variant}".encode())
        assert not failed, f"no voice {accent}+{variant}: error {failed}"
        for parameter, value in ((self._RATE, rate), (self._PITCH, pitch), (self._RANGE, range_)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        text = word.encode()
        self._library.espeak_Synth(text, len(text) + 1, 0, 1, 0, self._UTF8, None, None)
        return np.concatenate(self._chunks)


def settings() -> list[tuple[str, str, bool]]:
    """(accent, voice, is it a test voice) of the 160 + 48 settings, in order."""
    accents, voices = ACCENTS.split(), TRAIN_VOICES.split()
    train = [
        (accents[(3 * k + k // len(voices)) % len(accents)], voices[k % len(voices)], False)
        for k in range(TRAIN_SETTINGS)
    ]
    test = [
        (accents[(2 * j + i) % len(accents)], voice, True)
        for i, voice in enumerate(TEST_VOICES.split())
        for j in range(ACCENTS_PER_TEST_VOICE)
    ]
    return train + test


def to_clip(samples: np.ndarray, rate: int) -> np.ndarray:
    """8 kHz int8: without rumble or silence, faded in and out, at full level."""
    high_pass = butter(2, 60, "highpass", fs=rate, output="sos")  # some voices carry an offset
    samples = sosfilt(high_pass, samples.astype(np.float64))
    samples = resample_poly(samples, 160, 441)
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    energy = (frames**2).mean(axis=1)
    loud = np.flatnonzero(energy > 1e-4 * energy.max())  # -40 dB
    samples = samples[max(loud[0] - 1, 0) * FRAME : (loud[-1] + 2) * FRAME].copy()
    fade = np.linspace(0, 1, FADE)
    samples[:FADE] *= fade
    samples[-FADE:] *= fade[::-1]
    return np.round(samples * (PEAK / np.abs(samples).max())).astype(np.int8)


def make(folder: Path) -> dict[str, np.ndarray]:
    """All clips, one after the other in ``audio``, and what is known of each of them."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise SystemExit("the clips can be made again only on Linux x86-64; see data/README.md")
    with fetch_wheel(REQUIREMENT, SHA256, folder, "--platform", PLATFORM) as wheel:
        _extract(wheel, folder)
    espeak = Espeak(folder / "espeakng_loader")
    clips, rows = [], []
    for k, (accent, voice, test) in enumerate(settings()):
        generator = np.random.default_rng(k)
        rate = int(generator.integers(130, 201))  # words a minute
        pitch, range_ = (int(value) for value in generator.integers(30, 71, size=2))
        for digit, word in enumerate(WORDS.split()):
            clip_rate = rate + int(generator.integers(-6, 7))
            clip_pitch = pitch + int(generator.integers(-4, 5))
            samples = espeak.say(word, accent, voice, clip_rate, clip_pitch, range_)
            clips.append(to_clip(samples, espeak.rate))
            rows.append((digit, voice, accent, clip_rate, clip_pitch, range_, test))
    digits, voices, accents, rates, pitches, ranges, tests = map(list, zip(*rows, strict=True))
    return {
        "audio": np.concatenate(clips),
        "lengths": np.array([len(clip) for clip in clips], dtype=np.uint16),
        "labels": np.array(digits, dtype=np.uint8),
        "speakers": np.array(voices),
        "accents": np.array(accents),
        "words_per_minute": np.array(rates, dtype=np.uint8),
        "pitch": np.array(pitches, dtype=np.uint8),
        "pitch_range": np.array(ranges, dtype=np.uint8),
        "test": np.array(tests),
    }


def _extract(wheel: zipfile.ZipFile, folder: Path) -> None:
    """The library and its voices; zipfile itself drops '..' and leading slashes."""
    for name in wheel.namelist():
        if name.endswith(".so") or "/espeak-ng-data/" in name:
            wheel.extract(name, folder)


if __name__ == "__main__":
    main("speech.npz.xz", make, "spoken digits from the pinned wheel of eSpeak NG")
