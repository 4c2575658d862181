"""GStreamer as a publisher (WHIP, VP8 and Opus) and as a viewer (WHEP, H.264 and Opus); for the system's Python.

    /usr/bin/python3 peers.py ADDRESS FILM.yuv SIDE FRAMES TOKEN

FILM is raw I420, SIDE × SIDE px. Watches until FRAMES pictures and a second of sound have come, hangs up both and
prints what it saw as JSON. `.ci/run` names the packages that it needs.
"""

import json
import sys
import threading
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402

PUBLISH = """
webrtcbin name=peer bundle-policy=max-bundle
filesrc location={film} ! rawvideoparse format=i420 width={side} height={side} framerate=25/1 ! clocksync ! queue
  ! vp8enc deadline=1 keyframe-max-dist=50 ! rtpvp8pay
  ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! peer.
audiotestsrc is-live=true freq=440 ! audioconvert ! audioresample ! opusenc ! rtpopuspay
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""
RECEIVE = {
    "video": "application/x-rtp,media=video,encoding-name=H264,clock-rate=90000,payload=96,"
    "packetization-mode=(string)1",
    "audio": "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,payload=97",
}
DECODE = {
    "H264": "rtph264depay ! avdec_h264 ! videoconvert ! video/x-raw,format=GRAY8 ! appsink name=out emit-signals=true",
    "OPUS": "rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE ! appsink name=out emit-signals=true",
}


def call(method, url, token, body=None, kind="application/sdp"):
    request = urllib.request.Request(url, body and body.encode(), method=method)
    request.add_header("Authorization", f"Bearer {token}")
    if body:
        request.add_header("Content-Type", kind)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return urllib.parse.urljoin(url, reply.headers.get("Location") or ""), reply.read().decode()


def ask(element, signal, argument):
    """The promise by which a signal answers."""
    promise = Gst.Promise.new()
    element.emit(signal, argument, promise)
    promise.wait()
    return promise


def negotiate(peer, endpoint, token):
    """Once it knows what to offer: offer, wait for candidates, post, take the answer; the resource's URL.

    What is part of another object is freed with that, even if it is in use: each has a name here.
    """
    assert peer.ready.wait(20), "nothing to offer"
    gathered = threading.Event()

    def on_gathering(*_):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            gathered.set()

    peer.connect("notify::ice-gathering-state", on_gathering)
    promise = ask(peer, "create-offer", None)
    reply = promise.get_reply()
    offer = reply.get_value("offer")
    ask(peer, "set-local-description", offer)
    assert gathered.wait(20), "no candidates"
    local = peer.get_property("local-description")
    location, answer = call("POST", endpoint, token, local.sdp.as_text())
    _, message = GstSdp.SDPMessage.new_from_text(answer)
    described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
    ask(peer, "set-remote-description", described)
    return location


class Viewer:
    """Counts what comes."""

    def __init__(self, frames):
        self.wanted = frames
        self.seen = {"frames": 0, "samples": 0, "brightest": 0, "loudest": 0, "width": 0, "height": 0}
        self.enough = threading.Event()
        self.pipeline = Gst.Pipeline.new("viewer")
        self.peer = Gst.ElementFactory.make("webrtcbin", "peer")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.peer)
        self.peer.connect("pad-added", self.on_pad)
        for caps in RECEIVE.values():
            receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
            self.peer.emit("add-transceiver", receive, Gst.Caps.from_string(caps))

    def on_pad(self, _, pad):
        encoding = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        sink = Gst.parse_bin_from_description(DECODE[encoding], True)
        self.pipeline.add(sink)
        sink.get_by_name("out").connect("new-sample", self.on_sample, encoding)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_sample(self, sink, encoding):
        sample = sink.emit("pull-sample")
        buffer = sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        if encoding == "H264":
            shape = sample.get_caps().get_structure(0)
            self.seen["width"], self.seen["height"] = shape.get_value("width"), shape.get_value("height")
            self.seen["frames"] += 1
            self.seen["brightest"] = max(self.seen["brightest"], max(data))
        else:
            self.seen["samples"] += len(data) // 4
            self.seen["loudest"] = max(self.seen["loudest"], max(memoryview(data).cast("h")))
        if self.seen["frames"] >= self.wanted and self.seen["samples"] >= 48_000:
            self.enough.set()
        return Gst.FlowReturn.OK


def main():
    address, film, side, frames, token = sys.argv[1:]
    Gst.init(None)
    publisher = Gst.parse_launch(PUBLISH.format(film=film, side=side))
    viewer = Viewer(int(frames))
    parts = []
    for pipeline, endpoint in ((publisher, "/whip"), (viewer.pipeline, "/whep")):
        peer = pipeline.get_by_name("peer")
        peer.ready = threading.Event()
        peer.connect("on-negotiation-needed", lambda peer: peer.ready.set())
        pipeline.set_state(Gst.State.PLAYING)
        parts.append((pipeline, negotiate(peer, address + endpoint, token)))
    came = viewer.enough.wait(60)
    for pipeline, location in parts:
        call("DELETE", location, token)
        pipeline.set_state(Gst.State.NULL)
    print(json.dumps(viewer.seen))
    return 0 if came else 1


if __name__ == "__main__":
    sys.exit(main())
