"""A plan as the command line of an ffmpeg program. Pure: nothing is run here.

ffmpeg-python is used in this module and nowhere else, and of it only `compile`: its own handling of
processes has no deadline and can deadlock (its issues 195 and 370), and it is no longer maintained.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from preprocess.binary import OLDEST, Encoder
from preprocess.filtergraph import (
    LUT,
    Step,
    before_choosing,
    of_chosen,
    skips_deblocking,
    steps,
)
from preprocess.plan import AudioAction, ShortAction
from preprocess.retiming import last_stay, slot, written
from preprocess.soundgraph import (
    AAC_FRAME,
    HOLE_S,
    conversion,
    layout_name,
    mixable,
    most_samples,
)
from preprocess.untrusted import ALPHA_DECODERS, CODEC_WHITELIST, MAX_PIXELS, demuxing

if TYPE_CHECKING:
    from preprocess.binary import Binary
    from preprocess.plan import ClipPlan, VideoEncoding

LUT_FILE = "colours.cube"
"""Where the command expects the 3D LUT of a plan with `Colours`: in its own folder."""
# Names that are not UTF-8 are too much for ffmpeg-python 0.2.0: it makes digests of all it is told.
_INPUT, _OUTPUT = "\0input", "\0output"
_MAX_ALLOC = 256 << 20
"""Of any one block of memory: a picture of `MAX_PIXELS` in 16-bit RGB has 212 MB."""
_CROPS = (61, 7)
"""libavformat of FFmpeg 7.1, whose program crops what a container says is outside the picture (the
clean aperture of a MOV). A plan is about all of it, as our own engine decodes it."""
_MOVFLAGS = "+faststart+negative_cts_offsets"
_BITS_PER_PIXEL = Fraction(1, 5)
"""For encoders without a constant quality that keeps a ceiling: 5.5 Mbit/s at 720p30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a command has to know of the input beside the plan."""

    demuxer: str
    ignore_edits: bool
    codec: str
    """FFmpeg's name of the picture's codec."""
    channels: int | None
    """Of the sound."""
    layout: str | None
    """FFmpeg's name for where they are."""
    audio_offset_s: Fraction
    """Added to a raw time stamp of the sound in seconds, it gives picture time."""
    sound_tick_s: Fraction
    """Seconds of one tick of the sound's time stamps."""
    passed: int | None
    """Pictures before the window, where they are found by counting from the file's beginning;
    ``None``: by their time stamps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where a command reads and writes."""

    protocol: str
    """The only one that the input may use."""
    input: str
    input_options: tuple[tuple[str, str], ...] = ()
    """Of the protocol."""
    seek_s: Fraction | None
    """Read from the last key picture before this time stamp; ``None``: from the beginning."""
    output: str
    replace: bool
    """The output is a file of ours that exists."""


def arguments(
    plan: ClipPlan,
    source: Source,
    binary: Binary,
    encoder: Encoder,
    ends: Ends,
    *,
    threads: int,
) -> list[str]:
    """The program and its arguments.

    Raises:
        ImportError: ffmpeg-python is not installed.
    """
    import ffmpeg  # noqa: PLC0415 - the extra `clipready[ffmpeg]`, for this engine only

    encoding = _encoding(plan)
    opened = ffmpeg.input(_INPUT, **_input_options(plan, source, binary, ends, threads))
    pictures = opened[str(plan.video_stream)]
    if _passes_side_data(plan, source, binary):
        pictures = ffmpeg.filter(
            [pictures, pictures], _CHOICE.name, **_parsed(_CHOICE.arguments)[1]
        )
    tracks = [_linked(pictures, _picture_steps(plan, source, encoder))]
    if plan.audio.action is not AudioAction.DROP:
        sound = opened[str(plan.audio.stream)]
        copied = plan.audio.action is AudioAction.COPY
        tracks.append(sound if copied else _linked(sound, _sound_steps(plan, source)))
    options = {
        **_encoder_options(encoding, encoder, threads),
        **_sound_options(plan, source),
        "fps_mode": "passthrough",
        "map_metadata": "-1",
        "map_chapters": "-1",
        "max_muxing_queue_size": "1024",
        "fflags": "+bitexact",
        "movflags": _MOVFLAGS,
    }
    output = ffmpeg.output(*tracks, _OUTPUT, format="mp4", **options)
    command: list[str] = ffmpeg.compile(
        output, cmd=_global_options(binary, encoder, threads), overwrite_output=ends.replace
    )
    names = {_INPUT: ends.input, _OUTPUT: ends.output}
    return [names.get(word, word) for word in command]


def trial(encoding: VideoEncoding, binary: Binary, encoder: Encoder) -> list[str]:
    """A command that encodes a few grey pictures of the plan's size, and keeps nothing.

    Raises:
        ImportError: as `arguments`.
    """
    import ffmpeg  # noqa: PLC0415 - as in `arguments`

    picture = f"color=gray:size={encoding.canvas}:rate={encoding.frame_rate}"
    grey = ffmpeg.input(picture, format="lavfi")
    made = _linked(grey, [*steps("format=yuv420p"), *_handed_over(encoder)])
    options = {**_encoder_options(encoding, encoder, 1), "frames:v": "8"}
    command: list[str] = ffmpeg.compile(
        ffmpeg.output(made, "-", format="null", **options),
        # What is missing is said as a detail, of a device that cannot be opened.
        cmd=_global_options(binary, encoder, 1, says="level+verbose"),
    )
    return command


def missing(plan: ClipPlan, source: Source, binary: Binary, encoder: Encoder) -> tuple[str, ...]:
    """What the program lacks for this command, in words."""
    if not binary.libavformat:
        return ("it does not say which libavformat it has",)
    if binary.libavformat < OLDEST:
        return ("it is older than FFmpeg 5.1",)
    named = [*_picture_steps(plan, source, encoder)]
    if _passes_side_data(plan, source, binary):
        named.append(_CHOICE)
    coders = {encoder.value}
    bitstream_filters: set[str] = set()
    if plan.audio.action is AudioAction.ENCODE:
        named += _sound_steps(plan, source)
        coders.add("aac")
    elif plan.audio.action is AudioAction.COPY:
        bitstream_filters = {"noise", "setts"}
        if not _is_placed(source, binary, plan.audio.sample_rate_hz or 48_000):
            return ("FFmpeg 6.0 is needed to copy sound from containers with a clock of their own",)
    return (
        *(f"no encoder {name}" for name in sorted(coders - binary.encoders)),
        *(f"no filter {name}" for name in sorted({s.name for s in named} - binary.filters)),
        *(
            f"no bitstream filter {name}"
            for name in sorted(bitstream_filters - binary.bitstream_filters)
        ),
    )


_CHOICE = Step.plain("streamselect", "inputs=2:map=0")
_KEEPS_TO_ITSELF = (62,)
"""libavformat of FFmpeg 8.0."""


def _passes_side_data(plan: ClipPlan, source: Source, binary: Binary) -> bool:
    """Whether the result would say of rotation and Dolby Vision what the input's header says.

    FFmpeg 5.1 copies that past a filter graph which has one input (ffmpeg.c, `transcode_init`), as
    it has where no sound is decoded: then the picture is given to it twice, and one taken. The two
    are matched by time; where that is not known, pictures are counted, there is no such data.
    """
    alone = plan.audio.action is not AudioAction.ENCODE
    return alone and source.passed is None and binary.libavformat < _KEEPS_TO_ITSELF


def _encoding(plan: ClipPlan) -> VideoEncoding:
    assert plan.encoding is not None  # noqa: S101 - only the encode route comes here
    return plan.encoding


# --- options -------------------------------------------------------------------------------------


def _global_options(
    binary: Binary, encoder: Encoder, threads: int, says: str = "error"
) -> list[str]:
    """Before all else: no terminal, no mercy with errors, time stamps as they are."""
    words = [binary.path, "-nostdin", "-hide_banner", "-loglevel", says, "-xerror"]
    words += ["-max_alloc", str(_MAX_ALLOC), "-copyts", "-progress", "pipe:1"]
    words += ["-filter_complex_threads", str(threads)]
    if encoder is Encoder.VAAPI:
        words += ["-init_hw_device", "vaapi=gpu", "-filter_hw_device", "gpu"]
    return words


def _input_options(
    plan: ClipPlan, source: Source, binary: Binary, ends: Ends, threads: int
) -> dict[str, str | None]:
    options: dict[str, str | None] = {
        "format": source.demuxer,
        "protocol_whitelist": ends.protocol,
        **dict(ends.input_options),
        **demuxing(source.demuxer, ignore_edits=source.ignore_edits),
        "codec_whitelist": CODEC_WHITELIST,
        "max_pixels": str(MAX_PIXELS),
        "noautorotate": None,
        **({"apply_cropping": "codec"} if binary.libavformat >= _CROPS else {}),
        # As libavcodec has it: without, pictures that lack their references come out, too.
        "flags": "-output_corrupt",
        "threads": str(threads),
    }
    encoding = _encoding(plan)
    if skips_deblocking(encoding):
        options["skip_loop_filter"] = "all"
    if encoding.flatten and source.codec in ALPHA_DECODERS:
        options["c:v"] = ALPHA_DECODERS[source.codec]
    if ends.seek_s is not None:
        # Rounded up: a microsecond before a key picture would be the one before it.
        micros = -(-ends.seek_s * 1_000_000 // 1)
        options |= {"ss": f"{micros}us", "seek_timestamp": "1", "noaccurate_seek": None}
    return options


def _encoder_options(
    encoding: VideoEncoding, encoder: Encoder, threads: int
) -> dict[str, str | None]:
    rates = {"maxrate": str(encoding.max_rate_bps), "bufsize": str(encoding.buffer_bits)}
    options = {"c:v": encoder.value, "g": str(encoding.keyframe_interval), **rates}
    if encoder in (Encoder.X264, Encoder.NVENC):
        options |= {"profile:v": "high", "level:v": encoding.level}
    if encoder is Encoder.X264:
        options |= {"preset": encoding.preset, "crf": f"{encoding.crf:g}"}
        return {**options, "threads:v": str(threads)}
    if encoder is Encoder.NVENC:
        return {**options, "rc": "vbr", "cq": f"{encoding.crf:g}", "b:v": "0"}
    if encoder is Encoder.OPENH264:
        options |= {"rc_mode": "bitrate", "threads:v": str(threads)}
    if encoder is Encoder.VAAPI:
        options["rc_mode"] = "VBR"
    usual = int(_BITS_PER_PIXEL * encoding.canvas.area * encoding.frame_rate)
    return {**options, "b:v": str(min(usual, encoding.max_rate_bps))}


def _sound_options(plan: ClipPlan, source: Source) -> dict[str, str | None]:
    audio = plan.audio
    if audio.action is AudioAction.COPY:
        return {"c:a": "copy", "bsf:a": _copied(plan, source), "t": _end(plan, source)}
    if audio.action is AudioAction.ENCODE:
        return {"c:a": "aac", "b:a": str(audio.bit_rate_bps or 128_000)}
    return {}


_SLACK_S = 2


def _end(plan: ClipPlan, source: Source) -> str:
    """The time stamp at which copying ends: nothing else ends such a track before the file does.

    The picture, whose time begins at 0, never reaches it.
    """
    end_s = max(plan.source_start_s, Fraction(0)) + plan.expected.duration_s
    return f"{float(end_s + abs(source.audio_offset_s) + _SLACK_S):.3f}"


# --- the picture ---------------------------------------------------------------------------------


def _picture_steps(plan: ClipPlan, source: Source, encoder: Encoder) -> list[Step]:
    """The window's pictures, told on stdout, then each as often as planned."""
    encoding = _encoding(plan)
    rate = encoding.frame_rate
    chosen = written(encoding.writes, "n")
    return [
        *_in_window(plan, source),
        Step.plain("metadata", "mode=add:key=picture:value=1"),
        Step.plain("metadata", "mode=print:direct=1:file=-"),
        *(step for text in before_choosing(encoding) for step in steps(text)),
        Step.plain("settb", f"expr={1 / rate}"),
        Step.plain("setpts", f"expr={slot(encoding.writes)}"),
        *([Step.plain("select", f"expr={chosen}")] if chosen else []),
        *(_with_lut(step) for step in steps(",".join(of_chosen(encoding)))),
        # What the input says of rotation, captions and mastering is not of the result.
        Step.plain("sidedata", "mode=delete"),
        Step.plain(
            "setparams", "range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
        ),
        *_filled(plan, encoding),
        *_handed_over(encoder),
    ]


def _in_window(plan: ClipPlan, source: Source) -> list[Step]:
    """The first picture after the window ends the work, wherever the file ends."""
    if source.passed is not None:
        end = source.passed + len(plan.source_pts)
        return [Step.plain("trim", f"start_frame={source.passed}:end_frame={end}")]
    first, last = plan.source_pts[0], plan.source_pts[-1]
    return [
        Step.plain("trim", f"start_pts={first}:end_pts={last + 1}"),
        # Of several pictures at one time the first, as `engines.frames` has it.
        Step.plain("select", "expr=isnan(prev_selected_pts)+gt(pts,prev_selected_pts)"),
    ]


def _with_lut(step: Step) -> Step:
    return Step.plain(LUT, f"file={LUT_FILE}:interp=tetrahedral") if step.name == LUT else step


def _filled(plan: ClipPlan, encoding: VideoEncoding) -> list[Step]:
    """Repeat what is written more than once; the whole of it where the clip is repeated."""
    shown = sum(encoding.writes)
    filled = [
        Step.plain("fps", f"fps={encoding.frame_rate}:start_time=0"),
        Step.plain("tpad", f"stop_mode=clone:stop={last_stay(encoding.writes)}"),
    ]
    if plan.short is ShortAction.LOOP:
        filled += [
            Step.plain("trim", f"end_frame={shown}"),
            Step.plain("loop", f"loop=-1:size={shown}"),
            Step.plain("setpts", "expr=N"),
        ]
    return [*filled, Step.plain("trim", f"end_frame={plan.expected.frames}")]


def _handed_over(encoder: Encoder) -> list[Step]:
    """In the form that *encoder* takes."""
    if encoder is Encoder.VAAPI:
        return steps("format=nv12,hwupload")
    return steps("format=nv12") if encoder is Encoder.QSV else []


# --- the sound -----------------------------------------------------------------------------------


def _shift_s(plan: ClipPlan, source: Source) -> Fraction:
    """Added to a raw time stamp of the sound, it gives the time from the first written picture."""
    return source.audio_offset_s - plan.source_start_s


def _sound_steps(plan: ClipPlan, source: Source) -> list[Step]:
    """Every sample at its time: silence in holes and before a late start, nothing early."""
    audio, encoding = plan.audio, _encoding(plan)
    rate, layout = audio.sample_rate_hz or 48_000, layout_name(audio.channels)
    channels = source.channels or 0
    mixed = channels > (1 if layout == "mono" else 2)
    most = most_samples(plan.expected.duration_s, plan.expected.max_duration_s, rate)
    return [
        Step.plain("asetpts", f"expr=round(PTS+({_shift_s(plan, source)})/TB)"),
        *mixable(source.layout or "", channels, mixed=mixed),
        Step.plain("aresample", f"osr={rate}:async=1:min_hard_comp={float(HOLE_S):g}:first_pts=0"),
        *conversion(layout, rate, mixed=mixed),
        *_repeated(plan, round(sum(encoding.writes) / encoding.frame_rate * rate)),
        Step.plain("atrim", f"end_sample={most}"),
        Step.plain("asetpts", "expr=N"),
        Step.plain("asetnsamples", f"nb_out_samples={AAC_FRAME}:pad=1"),
    ]


def _repeated(plan: ClipPlan, samples: int) -> list[Step]:
    """Sound that outlasts the picture would push the beginning of the next pass away."""
    if plan.short is not ShortAction.LOOP:
        return []
    return [
        Step.plain("atrim", f"end_sample={samples}"),
        Step.plain("apad", f"whole_len={samples}"),
        Step.plain("aloop", f"loop=-1:size={samples}"),
    ]


def _copied(plan: ClipPlan, source: Source) -> str:
    """Choose the packets that are heard, and the one before them, and put them one after the other.

    The same packets at the same places as `engines.sound.SoundCopier`, which says why.
    """
    audio = plan.audio
    rate, frame = audio.sample_rate_hz or 48_000, audio.frame_samples or AAC_FRAME
    frame_s = Fraction(frame, rate)
    shift_s = _shift_s(plan, source)
    first_s = frame_s / 8 - 2 * frame_s - shift_s
    end_s = plan.expected.duration_s - shift_s
    most = plan.expected.max_duration_s // frame_s
    start = f"(STARTPTS*TB+({shift_s}))"
    place = f"min({start},if(lte({start},{frame_s / 8 - frame_s}),{-frame_s},0))"
    parts = (
        f"noise=drop=lte(pts*tb,{first_s})+gte(pts*tb,{end_s})",
        f"noise=drop=gte(n,{most})",
        *([f"setts=time_base=1/{rate}"] if source.sound_tick_s != Fraction(1, rate) else []),
        f"setts=ts=round(({place}+N*{frame_s})/TB):duration=round({frame_s}/TB)",
    )
    # Commas separate these filters, too.
    return ",".join(part.replace(",", "\\,") for part in parts)


_KEEPS_TIME_BASE = (60,)
"""libavformat of FFmpeg 6.0. In 5.1 packets that wait for the first picture, or for which it waits,
are moved twice or not at all where the time base is not the track's (ffmpeg_mux.c)."""


def _is_placed(source: Source, binary: Binary, rate: int) -> bool:
    """Whether copied packets come to lie where they are put."""
    return binary.libavformat >= _KEEPS_TIME_BASE or source.sound_tick_s == Fraction(1, rate)


# --- ffmpeg-python -------------------------------------------------------------------------------


def _linked(stream: Any, graph: list[Step]) -> Any:  # noqa: ANN401 - ffmpeg-python has no types
    """Add *graph* behind *stream*, as nodes of ffmpeg-python, which does the quoting."""
    import ffmpeg  # noqa: PLC0415 - as in `arguments`

    last = stream
    pads: dict[str, Any] = {}
    for step in graph:
        feeds = [pads.pop(label) for label in step.inputs] or [last]
        positional, named = _parsed(step.arguments)
        if len(step.outputs) > 1:
            node = ffmpeg.filter_multi_output(feeds, step.name, *positional, **named)
            pads.update({label: node[n] for n, label in enumerate(step.outputs)})
            continue
        last = ffmpeg.filter(feeds, step.name, *positional, **named)
        pads.update(dict.fromkeys(step.outputs, last))
    return last


def _parsed(text: str) -> tuple[list[str], dict[str, str]]:
    positional, named = [], {}
    for part in text.split(":") if text else []:
        name, equals, value = part.partition("=")
        if equals:
            named[name] = value
        else:
            positional.append(name)
    return positional, named
