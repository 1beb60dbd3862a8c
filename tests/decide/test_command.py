"""Plans as command lines: exact words, nothing run."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from preprocess import command
from preprocess.binary import BITSTREAM_FILTERS, FILTERS, OLDEST, Binary, Encoder
from preprocess.facts import Dynamic, Facts
from preprocess.geometry import Orientation, Size
from preprocess.intent import AudioChoice, Fit, Intent, Mode, Short
from preprocess.plan import AudioAction, AudioPlan, ClipPlan, Route
from preprocess.planner import decide
from preprocess.untrusted import CODEC_WHITELIST
from tests.decide.clips import PROFILE, clip

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ffmpeg") is None, reason="no ffmpeg-python"
)

ABLE = Binary(
    path="/opt/ffmpeg",
    version="9.0",
    libavformat=(63, 1),
    encoders=frozenset({*(each.value for each in Encoder), "aac"}),
    filters=FILTERS,
    bitstream_filters=BITSTREAM_FILTERS,
    reads_descriptors=True,
)
SOURCE = command.Source(
    demuxer="mov",
    ignore_edits=True,
    codec="h264",
    channels=2,
    layout="stereo",
    audio_offset_s=Fraction(0),
    sound_tick_s=Fraction(1, 48_000),
    passed=None,
)
ENDS = command.Ends(
    protocol="fd",
    input="fd:",
    input_options=(("fd", "5"),),
    seek_s=None,
    output="file:/out/x.mp4",
    replace=True,
)


def plan_for(facts: Facts, intent: Intent | None = None) -> ClipPlan:
    plan = decide(facts, PROFILE, intent or Intent())
    assert isinstance(plan, ClipPlan)
    assert plan.route is Route.ENCODE
    return plan


def large(seconds: float = 3, rate: int = 30, **video: object) -> Facts:
    return clip(seconds, rate, sound=False, **{"coded": Size(1920, 1080), **video})  # type: ignore[arg-type]


def words(plan: ClipPlan, encoder: Encoder = Encoder.X264, **source: object) -> list[str]:
    given = replace(SOURCE, **source)  # type: ignore[arg-type]
    return command.arguments(plan, given, ABLE, encoder, ENDS, threads=2)


def after(found: list[str], option: str) -> str:
    assert found.count(option) == 1, option
    return found[found.index(option) + 1]


def chain_of(found: list[str]) -> list[str]:
    """The filters of the picture, labels left out."""
    parts = after(found, "-filter_complex").split(";")
    return [part[part.index("]") + 1 : part.rindex("[")] for part in parts]


def test_the_whole_command() -> None:
    assert words(plan_for(large())) == [
        "/opt/ffmpeg",
        *("-nostdin", "-hide_banner", "-loglevel", "error", "-xerror"),
        *("-max_alloc", "268435456", "-copyts", "-progress", "pipe:1"),
        *("-filter_complex_threads", "2"),
        *("-f", "mov", "-analyzeduration", "1", "-apply_cropping", "codec"),
        *("-codec_whitelist", CODEC_WHITELIST),
        *("-fd", "5", "-flags", "-output_corrupt", "-format_whitelist", "mov"),
        *("-fpsprobesize", "0", "-ignore_editlist", "1", "-max_pixels", "35389440"),
        *("-max_streams", "16", "-noautorotate", "-probesize", "65536"),
        *("-protocol_whitelist", "fd", "-threads", "2", "-i", "fd:"),
        "-filter_complex",
        (
            "[0:0]trim=end_pts=90:start_pts=0[s0];"
            r"[s0]select=expr=isnan(prev_selected_pts)+gt(pts\,prev_selected_pts)[s1];"
            "[s1]metadata=key=picture:mode=add:value=1[s2];"
            "[s2]metadata=direct=1:file=-:mode=print[s3];"
            "[s3]settb=expr=1/30[s4];"
            "[s4]setpts=expr=N[s5];"
            "[s5]scale=1280:720:flags=bicubic:in_color_matrix=bt709:in_range=limited:"
            "out_color_matrix=bt709:out_range=limited[s6];"
            "[s6]format=yuv420p[s7];"
            "[s7]setsar=1[s8];"
            "[s8]format=yuv420p[s9];"
            "[s9]sidedata=mode=delete[s10];"
            "[s10]setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=limited[s11];"
            "[s11]fps=fps=30:start_time=0[s12];"
            "[s12]tpad=stop=1:stop_mode=clone[s13];"
            "[s13]trim=end_frame=90[s14]"
        ),
        *("-map", "[s14]", "-f", "mp4", "-bufsize", "17500000", "-c:v", "libx264"),
        *("-crf", "19", "-fflags", "+bitexact", "-fps_mode", "passthrough", "-g", "60"),
        *("-level:v", "3.1", "-map_chapters", "-1", "-map_metadata", "-1"),
        *("-max_muxing_queue_size", "1024", "-maxrate", "17500000"),
        *("-movflags", "+faststart+negative_cts_offsets", "-preset", "superfast"),
        *("-profile:v", "high", "-threads:v", "2", "file:/out/x.mp4", "-y"),
    ]


def test_a_command_for_a_person_replaces_nothing() -> None:
    ends = replace(ENDS, input="file:/a b.mov", protocol="file", input_options=(), replace=False)
    found = command.arguments(plan_for(large()), SOURCE, ABLE, Encoder.X264, ends, threads=1)

    assert "-y" not in found
    assert after(found, "-i") == "file:/a b.mov"
    assert after(found, "-protocol_whitelist") == "file"


def test_a_window_is_found_by_time_stamps_from_a_key_picture_on() -> None:
    """1/3 s is no whole number of microseconds: rounded down it would be the key before."""
    plan = plan_for(large(40), Intent(mode=Mode.EXTEND))
    ends = replace(ENDS, seek_s=Fraction(76, 3))
    found = command.arguments(plan, SOURCE, ABLE, Encoder.X264, ends, threads=1)

    assert (after(found, "-ss"), after(found, "-seek_timestamp")) == ("25333334us", "1")
    assert "-noaccurate_seek" in found
    first, last = plan.source_pts[0], plan.source_pts[-1]
    assert chain_of(found)[0] == f"trim=end_pts={last + 1}:start_pts={first}"


def test_where_time_stamps_tell_nothing_pictures_are_counted() -> None:
    plan = plan_for(large())

    assert chain_of(words(plan, passed=7))[0] == "trim=end_frame=97:start_frame=7"


def test_pictures_are_thinned_before_they_are_scaled() -> None:
    found = chain_of(words(plan_for(large(3, 120))))

    assert found[4:7] == [
        "settb=expr=1/60",
        r"setpts=expr=floor(N/2)+gt(mod(N\,2)\,0)",
        r"select=expr=eq(mod(n\,2)\,0)",
    ]
    assert found[7].startswith("scale=")


def test_the_deinterlacer_sees_every_picture() -> None:
    found = chain_of(words(plan_for(large(interlaced=True))))

    assert found[4].startswith("bwdif=")
    assert found[5] == "settb=expr=1/30"


def test_a_clip_is_held_or_repeated_as_planned() -> None:
    held = chain_of(words(plan_for(large(1), Intent(short=Short.HOLD))))
    looped = chain_of(words(plan_for(large(1), Intent(short=Short.LOOP))))

    assert held[-2:] == ["tpad=stop=31:stop_mode=clone", "trim=end_frame=60"]
    assert looped[-5:] == [
        "tpad=stop=1:stop_mode=clone",
        "trim=end_frame=30",
        "loop=loop=-1:size=30",
        "setpts=expr=N",
        "trim=end_frame=60",
    ]


def test_hdr_goes_through_a_table_beside_the_command() -> None:
    hdr = large(dynamic=Dynamic.PQ, color_primaries="bt2020", color_transfer="smpte2084")

    assert "lut3d=file=colours.cube:interp=tetrahedral" in chain_of(words(plan_for(hdr)))


def test_branches_are_split_and_joined() -> None:
    """A blurred copy behind the picture: two inputs, named by whoever compiles."""
    plan = plan_for(large(coded=Size(1920, 600)), Intent(fit=Fit.BLUR))
    graph = after(words(plan), "-filter_complex")

    assert "split=2[s8][s9];[s9]crop=" in graph
    assert "[s14][s8]overlay=" in graph


def test_a_picture_that_is_turned_is_turned_once() -> None:
    found = words(plan_for(large(orientation=Orientation.CLOCKWISE)))

    assert "-noautorotate" in found
    assert "transpose=clock" in chain_of(found)


def test_an_old_program_does_not_pass_on_what_headers_say() -> None:
    """FFmpeg 5.1 copies rotation and Dolby Vision past a filter graph with one input."""
    old = replace(ABLE, libavformat=OLDEST)

    def graph(audio: AudioPlan, passed: int | None = None) -> str:
        plan, source = replace(plan_for(large()), audio=audio), replace(SOURCE, passed=passed)
        found = command.arguments(plan, source, old, Encoder.X264, ENDS, threads=1)
        return after(found, "-filter_complex")

    twice = "[0:0][0:0]streamselect=inputs=2:map=0[s0];[s0]trim="
    assert graph(COPIED).startswith(twice)
    assert graph(AudioPlan(action=AudioAction.DROP)).startswith(twice)
    assert "-apply_cropping" not in command.arguments(
        plan_for(large()), SOURCE, old, Encoder.X264, ENDS, threads=1
    )
    assert "streamselect" not in graph(ENCODED) + graph(COPIED, passed=0)


def test_a_large_reduction_skips_deblocking() -> None:
    assert after(words(plan_for(large(coded=Size(3840, 2160)))), "-skip_loop_filter") == "all"
    assert "-skip_loop_filter" not in words(plan_for(large()))


def test_alpha_beside_the_picture_takes_the_decoder_that_reads_it() -> None:
    plan = plan_for(large(codec="vp9", alpha=True))

    assert words(plan, codec="vp9", demuxer="matroska").count("libvpx-vp9") == 1
    assert "libvpx-vp9" not in words(plan, codec="hevc")


# --- sound ---------------------------------------------------------------------------------------

ENCODED = AudioPlan(
    action=AudioAction.ENCODE, stream=1, sample_rate_hz=48_000, channels=2, bit_rate_bps=160_000
)
COPIED = AudioPlan(
    action=AudioAction.COPY, stream=1, sample_rate_hz=48_000, channels=2, frame_samples=1024
)


def with_sound(audio: AudioPlan, **source: object) -> list[str]:
    return words(replace(plan_for(large()), audio=audio), **source)  # type: ignore[arg-type]


def sound_of(found: list[str]) -> list[str]:
    chain = chain_of(found)
    return chain[chain.index("trim=end_frame=90") + 1 :]


def test_sound_that_is_encoded_is_placed_by_its_time() -> None:
    found = with_sound(ENCODED, audio_offset_s=Fraction(-1, 7))

    assert sound_of(found) == [
        "asetpts=expr=round(PTS+(-1/7)/TB)",
        "aresample=async=1:first_pts=0:min_hard_comp=0.02:osr=48000",
        "aformat=channel_layouts=stereo:sample_fmts=fltp:sample_rates=48000",
        "atrim=end_sample=143360",
        "asetpts=expr=N",
        "asetnsamples=nb_out_samples=1024:pad=1",
    ]
    assert (after(found, "-c:a"), after(found, "-b:a")) == ("aac", "160000")
    assert found.count("-map") == 2


def test_more_channels_are_mixed_and_limited() -> None:
    named = {"5.1": 6, "7.1.4": 12, "hexadecagonal": 16}
    unnamed = {"16 channels": 16, "ambisonic 1": 4}
    for layout, channels in {**named, **unnamed}.items():
        steps = sound_of(with_sound(ENCODED, channels=channels, layout=layout))

        assert sum(step.startswith("alimiter=") for step in steps) == 1
        assert steps[1] == "asidedata=mode=delete"
        assert steps[2].startswith("pan=args=stereo|c0") == (layout in unnamed)
        assert steps[3 if layout in unnamed else 2].startswith("aresample=")


def test_sound_that_is_repeated_keeps_the_length_of_the_picture() -> None:
    plan = replace(plan_for(large(1), Intent(short=Short.LOOP)), audio=ENCODED)
    found = chain_of(words(plan))

    assert found[-6:-2] == [
        "atrim=end_sample=48000",
        "apad=whole_len=48000",
        "aloop=loop=-1:size=48000",
        "atrim=end_sample=95232",
    ]


def test_sound_that_is_copied_is_chosen_packet_by_packet() -> None:
    found = with_sound(COPIED, audio_offset_s=Fraction(-8, 375))

    assert after(found, "-c:a") == "copy"
    assert after(found, "-bsf:a").split(",noise=")[0] == (
        r"noise=drop=lte(pts*tb\,-7/375)+gte(pts*tb\,1133/375)"
    )
    assert after(found, "-t") == "5.021"
    assert found.index("-t") > found.index("-i")
    assert found[found.index("-map", found.index("-map") + 1) + 1] == "0:1"


def test_copied_packets_follow_each_other_on_the_clock_of_their_samples() -> None:
    """Matroska rounds to milliseconds, MPEG-TS counts 90,000 to the second."""
    plan = replace(plan_for(large()), audio=COPIED)
    old = replace(ABLE, libavformat=OLDEST, version="5.1.9")
    exact, counted, rounded = (
        replace(SOURCE, sound_tick_s=Fraction(1, rate)) for rate in (48_000, 90_000, 1000)
    )
    places = ",setts=time_base=1/48000,setts=ts="

    assert places not in after(with_sound(COPIED), "-bsf:a")
    assert places in after(with_sound(COPIED, sound_tick_s=Fraction(1, 1000)), "-bsf:a")
    assert command.missing(plan, exact, old, Encoder.X264) == ()
    for source in (counted, rounded):
        assert command.missing(plan, source, old, Encoder.X264) == (
            "FFmpeg 6.0 is needed to copy sound from containers with a clock of their own",
        )
    assert command.missing(plan, rounded, ABLE, Encoder.X264) == ()


def test_no_sound_is_asked_for_where_there_is_none() -> None:
    found = words(plan_for(large(), Intent(audio=AudioChoice.DROP)))

    assert not {"-c:a", "-b:a", "-bsf:a"} & set(found)
    assert found.count("-map") == 1


# --- encoders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoder", Encoder)
def test_every_encoder_keeps_the_ceiling_and_the_key_pictures(encoder: Encoder) -> None:
    found = words(plan_for(large()), encoder)

    assert after(found, "-c:v") == encoder.value
    assert (after(found, "-maxrate"), after(found, "-g")) == ("17500000", "60")
    assert ("-crf" in found) == (encoder is Encoder.X264)
    last = chain_of(found)[-1]
    handed = {Encoder.VAAPI: "hwupload", Encoder.QSV: "format=nv12"}
    assert last == handed.get(encoder, "trim=end_frame=90")


def test_names_need_not_be_utf_8() -> None:
    """A name of Latin-1, as Python has it (os.fsdecode)."""
    ends = replace(ENDS, input="file:/in/\udcff.mov", output="file:/out/\udce9.mp4")
    found = command.arguments(plan_for(large()), SOURCE, ABLE, Encoder.X264, ends, threads=2)

    assert after(found, "-i") == ends.input
    assert ends.output in found


def test_a_trial_opens_no_file() -> None:
    encoding = plan_for(large()).encoding
    assert encoding is not None
    found = command.trial(encoding, ABLE, Encoder.NVENC)

    assert after(found, "-i") == "color=gray:size=1280x720:rate=30"
    assert (after(found, "-frames:v"), after(found, "-c:v")) == ("8", "h264_nvenc")
    assert found[-1] == "-"


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ({}, ()),
        ({"libavformat": OLDEST}, ()),
        ({"encoders": frozenset({"aac"})}, ("no encoder libx264",)),
        ({"filters": FILTERS - {"tpad", "fps"}}, ("no filter fps", "no filter tpad")),
        (
            {"libavformat": (58, 76), "version": "4.4.2"},
            ("it is older than FFmpeg 5.1",),
        ),
        ({"libavformat": ()}, ("it does not say which libavformat it has",)),
    ],
)
def test_what_a_program_lacks_is_named(lacking: dict[str, Any], said: tuple[str, ...]) -> None:
    binary = replace(ABLE, **lacking)

    assert command.missing(plan_for(large()), SOURCE, binary, Encoder.X264) == said


def test_what_the_sound_needs_is_named_too() -> None:
    plan = plan_for(large())
    poor = replace(ABLE, encoders=frozenset({"libx264"}), bitstream_filters=frozenset({"noise"}))
    lacks = [
        command.missing(replace(plan, audio=audio), SOURCE, poor, Encoder.X264)
        for audio in (ENCODED, COPIED)
    ]

    assert lacks == [("no encoder aac",), ("no bitstream filter setts",)]


def test_every_filter_of_a_command_is_asked_about() -> None:
    """`FILTERS` is what a program is asked for: a filter outside it would always be missing."""
    plans = [
        plan_for(large(interlaced=True, alpha=True, dynamic=Dynamic.PQ)),
        plan_for(large(1, 120, coded=Size(1920, 600)), Intent(fit=Fit.BLUR, short=Short.LOOP)),
        plan_for(large(orientation=Orientation.HALF_TURN), Intent(ratio="1:1", fit=Fit.CROP)),
        plan_for(large(coded=Size(1920, 600))),
    ]

    for plan in plans:
        for encoder in Encoder:
            full = replace(plan, audio=replace(ENCODED, channels=2))
            source = replace(SOURCE, channels=16, layout="16 channels")
            assert command.missing(full, source, ABLE, encoder) == ()
