"""What of an offer is taken."""

from __future__ import annotations

import pytest

from live.streaming.webrtc.offer import BadOffer, Unacceptable, check_publisher, check_viewer, reachable, read_offer

pytestmark = pytest.mark.fast
HEAD = "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
VIDEO = "m=video 9 UDP/TLS/RTP/SAVPF 97\r\na={}\r\na=rtpmap:97 {}/90000\r\n"
SOUND = "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na={}\r\na=rtpmap:96 opus/48000/2\r\n"


def candidate(address: str, port: int | str = 5000) -> str:
    return f"a=candidate:1 1 udp 2130706431 {address} {port} typ host\r\n"


def kept(text: str, client: str) -> list[str]:
    return [line.split()[4] for line in read_offer(text, client).sdp.splitlines() if "candidate" in line]


@pytest.mark.parametrize(
    ("address", "client", "may"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "127.0.0.1", True),
        ("127.0.0.1", "192.168.1.5", False),
        ("::ffff:127.0.0.1", "192.168.1.5", False),
        ("192.168.1.5", "192.168.1.5", True),
        ("10.0.0.7", "192.168.1.5", True),
        ("fe80::1", "fe80::2%eth0", True),
        ("10.0.0.7", "8.8.8.8", False),
        ("fd00::7", "2606:4700::1", False),
        ("169.254.169.254", "8.8.8.8", False),
        ("8.8.4.4", "8.8.8.8", True),
        ("8.8.4.4", "192.168.1.5", True),
        ("224.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("abc.local", "127.0.0.1", False),
    ],
)
def test_a_candidate_is_where_the_peer_may_be(address, client, may):
    assert reachable(address, client) == may
    text = HEAD + VIDEO.format("recvonly", "VP8") + candidate(address)
    assert kept(text, client) == ([address] if may else [])


def test_candidates_are_capped_and_their_ports_are_ports():
    text = HEAD + VIDEO.format("recvonly", "VP8")
    many = text + "".join(candidate("10.0.0.1", 2000 + k) for k in range(800))
    offer = read_offer(many, "10.0.0.1")
    assert offer.candidates == 64 and offer.sdp.count("a=candidate:") == 64
    for port in (0, 99999, "x", 10**30, "²"):
        assert kept(text + candidate("10.0.0.1", port), "10.0.0.1") == []


@pytest.mark.parametrize(
    "filling", ["a=candidate:", "a=candidate:1 1 udp 1 a.local ", "a=ssrc:1 cname:x\r\n", "m=video "]
)
def test_of_64_kilobytes_little_reaches_aiortc(filling):
    text = "v=0\r\n" + filling * (64 * 1024 // len(filling))
    try:
        assert len(read_offer(text, "127.0.0.1").sdp.splitlines()) < 700
    except BadOffer:
        pass


def test_what_is_not_sdp_is_a_bad_offer():
    for text in ("", "hello", "v=0 junk"):
        with pytest.raises(BadOffer):
            read_offer(text, "127.0.0.1")
    with pytest.raises(BadOffer, match="9 media sections"):
        read_offer(HEAD + 9 * VIDEO.format("recvonly", "VP8"), "127.0.0.1")


@pytest.mark.parametrize(
    ("check", "sections", "says"),
    [
        (check_viewer, VIDEO.format("recvonly", "H264") + SOUND.format("recvonly"), None),
        (check_viewer, VIDEO.format("sendrecv", "VP8"), None),
        (check_viewer, VIDEO.format("sendonly", "VP8"), "sendonly.*/whip"),
        (check_viewer, VIDEO.format("inactive", "VP8"), "inactive"),
        (check_viewer, SOUND.format("recvonly"), "asks for no video"),
        (check_viewer, VIDEO.replace("video 9", "video 0").format("recvonly", "VP8"), "asks for no video"),
        (check_viewer, VIDEO.format("recvonly", "AV1"), "AV1: this server sends H.264 and VP8"),
        (check_publisher, VIDEO.format("sendonly", "H264") + SOUND.format("sendonly"), None),
        (check_publisher, VIDEO.format("recvonly", "VP8"), "recvonly.*/whep"),
        (check_publisher, SOUND.format("sendonly"), "brings no video"),
        (check_publisher, 2 * VIDEO.format("sendonly", "VP8"), "2 video and 0 audio"),
        (check_publisher, VIDEO.format("sendonly", "VP8") + 2 * SOUND.format("sendonly"), "1 video and 2 audio"),
        (check_publisher, VIDEO.format("sendonly", "VP9"), "VP9: this server receives H.264 and VP8"),
    ],
)
def test_an_offer_that_cannot_be_answered_is_told_why(check, sections, says):
    offer = read_offer(HEAD + sections, "127.0.0.1")
    if says is None:
        check(offer)
    else:
        with pytest.raises(Unacceptable, match=says):
            check(offer)


@pytest.mark.parametrize(("line", "kinds"), [("a=bundle-only", ["video", "audio"]), ("a=sendrecv", ["video"])])
def test_a_bundled_section_of_port_0_is_offered_and_another_is_not(line, kinds):
    sound = f"m=audio 0 UDP/TLS/RTP/SAVPF 97\r\n{line}\r\na=rtpmap:97 OPUS/48000/2\r\n"  # as GStreamer bundles
    text = f"v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n{sound}"
    assert [section.kind for section in read_offer(text, "127.0.0.1").sections] == kinds
