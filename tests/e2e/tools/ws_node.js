// Echo server and checking client on Node's ws, for websocket_e2e.
//   ws_node.js server HOST PORT
//   ws_node.js client URL CONNECTIONS MESSAGES   prints {"ok": messages echoed rightly, "wrong": n, "failed": n}
'use strict';
const crypto = require('crypto');
const WebSocket = require('ws');

function serve(host, port) {
  const server = new WebSocket.Server({ host, port: Number(port), perMessageDeflate: true });
  server.on('listening', () => console.log('{"done":"listening"}'));
  server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));
}

// Text and binary, from nothing to some 64-bit lengths.
function payload(number) {
  const size = [0, 1, 125, 126, 4000, 65535, 65536, 200000][number % 8];
  return number % 2 ? crypto.randomBytes(size) : 'ä€'.repeat(Math.ceil(size / 2)).slice(0, size);
}

function talk(url, messages) {
  return new Promise((resolve) => {
    const result = { ok: 0, wrong: 0, failed: 0 };
    const socket = new WebSocket(url, { handshakeTimeout: 20000 });
    let sent;
    const next = () => {
      if (result.ok + result.wrong === messages) return socket.close(1000, 'done');
      sent = payload(result.ok + result.wrong);
      socket.send(sent);
    };
    socket.on('open', next);
    socket.on('message', (data, isBinary) => {
      const right = isBinary === Buffer.isBuffer(sent) && Buffer.compare(data, Buffer.from(sent)) === 0;
      result[right ? 'ok' : 'wrong'] += 1;
      next();
    });
    socket.on('error', () => { result.failed = 1; });
    socket.on('close', (code) => {
      if (code !== 1000) result.failed = 1;
      resolve(result);
    });
  });
}

async function load(url, connections, messages) {
  const results = await Promise.all(Array.from({ length: Number(connections) }, () => talk(url, Number(messages))));
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  console.log(JSON.stringify({ ok: sum('ok'), wrong: sum('wrong'), failed: sum('failed') }));
}

const [verb, ...rest] = process.argv.slice(2);
if (verb === 'server') serve(...rest);
else load(...rest);
