#!/bin/bash
# Starts a real SFU for test_sfu.py: Janus and Meetecho's WHIP server for it, both as Debian packages them.
#   apt-get install -y --no-install-recommends janus && tests/live/sfu/start.sh FOLDER
# Installs what is missing below FOLDER, starts both in the foreground, and prints "ready" once a stream may come to
# http://127.0.0.1:7080/whip/endpoint/demo (bearer token: verysecret).
set -euo pipefail
mkdir -p "$1" && cd "$1"
if [ ! -d whip/node_modules ]; then
  # Not installed as a package: it would replace the machine's Node.js by Debian's.
  apt-get download -q simple-whip-server >/dev/null
  dpkg -x simple-whip-server*.deb unpacked
  mkdir -p whip/src
  cp unpacked/usr/share/simple-whip-server/src/*.js unpacked/etc/simple-whip-server/config.js whip/src/ 2>/dev/null || true
  (cd whip && npm init -y >/dev/null && npm install --silent express@4 cors@2 debug@4 async@3 colors@1 websocket@1)
fi
mkdir -p janus
cat >janus/janus.jcfg <<'CFG'
general: { plugins_folder = "/usr/lib/x86_64-linux-gnu/janus/plugins", transports_folder = "/usr/lib/x86_64-linux-gnu/janus/transports" }
nat: { nice_debug = false, full_trickle = true }
plugins: { disable = "libjanus_lua.so,libjanus_duktape.so,libjanus_sip.so,libjanus_nosip.so,libjanus_voicemail.so,libjanus_recordplay.so,libjanus_textroom.so,libjanus_audiobridge.so,libjanus_streaming.so,libjanus_videocall.so,libjanus_echotest.so" }
transports: { disable = "libjanus_http.so,libjanus_pfunix.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_rabbitmq.so" }
CFG
echo 'general: { ws = true, ws_port = 8188, wss = false }' >janus/janus.transport.websockets.jcfg
echo 'room-1234: { description = "demo", publishers = 6, bitrate = 4000000, audiocodec = "opus", videocodec = "h264,vp8" }' \
  >janus/janus.plugin.videoroom.jcfg
trap 'kill $(jobs -p) 2>/dev/null' EXIT
janus -F janus >janus.log 2>&1 &
until (exec 3<>/dev/tcp/127.0.0.1/8188) 2>/dev/null; do sleep 0.2; done
(cd whip && exec node src/server.js) >whip.log 2>&1 &
until curl -sf http://127.0.0.1:7080/whip/healthcheck >/dev/null; do sleep 0.2; done
curl -sf -X POST http://127.0.0.1:7080/whip/create -H 'Content-Type: application/json' \
  -d '{"id": "demo", "room": 1234, "token": "verysecret"}' >/dev/null
echo ready
wait
