// Publishes pictures and a tone by WHIP, watches by WHEP, and prints what came.
//   node peers.mjs ADDRESS PICTURES.yuv WIDTH HEIGHT FRAMES [TOKEN]

import { readFileSync } from 'node:fs';
import wrtc from '@roamhq/wrtc';

globalThis.RTCPeerConnection = wrtc.RTCPeerConnection;
globalThis.MediaStream = wrtc.MediaStream;
const { WHIPClient } = await import('whip-whep/whip.js');
const { WHEPClient } = await import('whip-whep/whep.js');
const { RTCAudioSink, RTCAudioSource, RTCVideoSink, RTCVideoSource } = wrtc.nonstandard;

const [address, file, width, height, wanted, token] = process.argv.slice(2);
const size = (width * height * 3) / 2;
const pictures = readFileSync(file);

const camera = new RTCVideoSource();
const microphone = new RTCAudioSource();
const sending = new wrtc.RTCPeerConnection();
const stream = new wrtc.MediaStream();
for (const track of [camera.createTrack(), microphone.createTrack()]) {
  stream.addTrack(track);
  sending.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
}
let number = 0;
const filming = setInterval(() => {
  const at = (number++ % (pictures.length / size)) * size;
  camera.onFrame({ width: Number(width), height: Number(height), data: new Uint8ClampedArray(pictures.subarray(at, at + size)) });
}, 40);
let sample = 0;
const sounding = setInterval(() => {
  const samples = Int16Array.from({ length: 480 }, () => 12000 * Math.sin((2 * Math.PI * 440 * sample++) / 48000));
  microphone.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
}, 10);

const publishing = new WHIPClient();
await publishing.publish(sending, `${address}/whip`, token);

const receiving = new wrtc.RTCPeerConnection();
const tracks = Object.fromEntries(['video', 'audio'].map((kind) => [kind, receiving.addTransceiver(kind, { direction: 'recvonly' }).receiver.track]));
const seen = { frames: 0, width: 0, height: 0, brightest: 0, loudest: 0 };
const watching = new WHEPClient();
const enough = new Promise((done, fail) => {
  const late = setTimeout(() => fail(new Error(`only ${JSON.stringify(seen)}`)), 60_000);
  const check = () => {
    if (seen.frames < wanted || seen.loudest < 3000) return;
    clearTimeout(late);
    done();
  };
  new RTCVideoSink(tracks.video).onframe = ({ frame }) => {
    Object.assign(seen, { width: frame.width, height: frame.height, frames: seen.frames + 1 });
    seen.brightest = Math.max(seen.brightest, ...frame.data.subarray(0, frame.width * frame.height));
    check();
  };
  new RTCAudioSink(tracks.audio).ondata = ({ samples }) => {
    seen.loudest = Math.max(seen.loudest, ...samples);
    check();
  };
});
await watching.view(receiving, `${address}/whep`, token);
await enough;
clearInterval(filming);
clearInterval(sounding);
await watching.stop();
await publishing.stop();
console.log(JSON.stringify(seen));
process.exit(0);
