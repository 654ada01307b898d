// Drives published clients of Event Store, unmodified, against a projector node that this script starts and ends.
// PROJECTOR names the binary.
'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');

const clients = ['node-eventstore-client-5', 'node-eventstore-client'];
const within = 10000; // ms, for anything that is waited for

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function limit(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing happened within ${within} ms`)), within);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
  });
}

async function startNode() {
  const binary = process.env.PROJECTOR;
  assert.ok(binary, 'PROJECTOR must name the projector binary');
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'peers-'));
  const node = { dir, tcp: await freePort(), tls: await freePort(), http: await freePort() };
  const began = Date.now();
  node.process = spawn(path.resolve(binary), [
    'node', '--tcp', `127.0.0.1:${node.tcp}`, '--tls', `127.0.0.1:${node.tls}`, '--http', `127.0.0.1:${node.http}`,
    '--dir', path.join(dir, 'log'), '--seed', 'off', '--user', 'pinkie:pie:party',
  ], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
  node.ended = new Promise((resolve) => node.process.once('exit', (code, signal) => resolve({ code, signal })));
  while (!(await answers(node.tcp))) {
    assert.equal(node.process.exitCode, null, 'the node ended before it was ready');
    assert.ok(Date.now() - began < within, 'the node is not ready');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  console.log(`node ready after ${Date.now() - began} ms`);
  return node;
}

async function stopNode(node) {
  node.process.kill('SIGTERM');
  assert.deepEqual(await limit(node.ended, 'SIGTERM'), { code: 0, signal: null });
  fs.rmSync(node.dir, { recursive: true });
}

// Collects events that are pushed, so that a test can wait for a number of them.
class Inbox {
  constructor() { this.events = []; this.waiting = []; }
  put(event) {
    this.events.push(event);
    this.waiting = this.waiting.filter((w) => {
      if (this.events.length < w.count) return true;
      w.resolve(this.events);
      return false;
    });
  }
  take(count, what) {
    if (this.events.length >= count) return Promise.resolve(this.events);
    return limit(new Promise((resolve) => this.waiting.push({ count, resolve })), `${what}: ${count} events`);
  }
}

class Peer {
  constructor(name, es, connection, credentials) {
    Object.assign(this, { name, es, connection, admin: credentials });
    this.counter = 0;
  }
  event(body, type = 'pony.jumped', metadata) {
    return this.es.createJsonEventData(crypto.randomUUID(), body, metadata, type);
  }
  stream(name) { return `${name}-${this.name}-${++this.counter}`; }
}

const bodies = (slice) => slice.events.map((e) => JSON.parse(e.event.data.toString()).n);
const number = (n) => Number(n.toString());

const tests = {
  async 'append and read'(p) {
    const s = p.stream('append');
    const first = await p.connection.appendToStream(s, p.es.expectedVersion.noStream, [p.event({ n: 0 }), p.event({ n: 1 })]);
    assert.equal(number(first.nextExpectedVersion), 1);
    const second = await p.connection.appendToStream(s, 1, p.event({ n: 2 }, 'pony.born', { by: 'test' }));
    assert.ok(second.logPosition.commitPosition.compare(first.logPosition.commitPosition) > 0);
    const forward = await p.connection.readStreamEventsForward(s, 0, 10, false);
    assert.deepEqual(bodies(forward), [0, 1, 2]);
    assert.equal(forward.isEndOfStream, true);
    assert.equal(JSON.parse(forward.events[2].event.metadata.toString()).by, 'test');
    assert.ok(Math.abs(forward.events[0].event.createdEpoch - Date.now()) < 60000);
    assert.deepEqual(bodies(await p.connection.readStreamEventsBackward(s, -1, 2, false)), [2, 1]);
    const one = await p.connection.readEvent(s, 1, false);
    assert.equal(one.status, 'success');
    assert.equal(number(one.event.event.eventNumber), 1);
    assert.equal((await p.connection.readEvent(s, 9, false)).status, 'notFound');
    assert.equal((await p.connection.readEvent(p.stream('none'), 0, false)).status, 'noStream');
    assert.equal((await p.connection.readStreamEventsForward(p.stream('none'), 0, 10, false)).status, 'streamNotFound');
  },

  async 'expected versions and idempotency'(p) {
    const s = p.stream('versions');
    const event = p.event({ n: 0 });
    await p.connection.appendToStream(s, p.es.expectedVersion.noStream, event);
    const again = await p.connection.appendToStream(s, p.es.expectedVersion.noStream, event);
    assert.equal(number(again.nextExpectedVersion), 0);
    await p.connection.appendToStream(s, p.es.expectedVersion.any, event);
    assert.equal((await p.connection.readStreamEventsForward(s, 0, 10, false)).events.length, 1);
    for (const wrong of [5, p.es.expectedVersion.noStream]) {
      await assert.rejects(p.connection.appendToStream(s, wrong, p.event({ n: 1 })), { name: 'WrongExpectedVersionError' });
    }
    await p.connection.appendToStream(s, p.es.expectedVersion.any, p.event({ n: 1 }));
  },

  async 'binary events'(p) {
    const s = p.stream('binary');
    const data = Buffer.from([0, 255, 1, 254]);
    await p.connection.appendToStream(s, p.es.expectedVersion.any, p.es.createEventData(crypto.randomUUID(), 'raw', false, data, Buffer.alloc(0)));
    const { event } = (await p.connection.readEvent(s, 0, false)).event;
    assert.equal(event.isJson, false);
    assert.ok(data.equals(Buffer.from(event.data)));
  },

  async 'event ids'(p) {
    const s = p.stream('ids');
    const id = crypto.randomUUID();
    await p.connection.appendToStream(s, p.es.expectedVersion.any, p.es.createJsonEventData(id, { n: 0 }, null, 'T'));
    assert.equal((await p.connection.readEvent(s, 0, false)).event.event.eventId, id);
    const over = await fetch(`http://127.0.0.1:${p.node.http}/streams/${s}/0`, { headers: { Accept: 'application/vnd.eventstore.event+json' } });
    assert.equal((await over.json()).content.eventId, id, 'the id over HTTP');
  },

  async 'read all'(p) {
    const s = p.stream('all');
    await p.connection.appendToStream(s, p.es.expectedVersion.any, [p.event({ n: 0 }), p.event({ n: 1 }), p.event({ n: 2 })]);
    const seen = [];
    for (let from = p.es.positions.start; ;) {
      const slice = await p.connection.readAllEventsForward(from, 50, false, p.admin);
      seen.push(...slice.events.filter((e) => e.event.eventStreamId === s).map((e) => number(e.event.eventNumber)));
      if (slice.isEndOfStream) break;
      from = slice.nextPosition;
    }
    assert.deepEqual(seen, [0, 1, 2]);
    const back = await p.connection.readAllEventsBackward(p.es.positions.end, 50, false, p.admin);
    assert.deepEqual(back.events.filter((e) => e.event.eventStreamId === s).map((e) => number(e.event.eventNumber)), [2, 1, 0]);
    await assert.rejects(p.connection.readAllEventsForward(p.es.positions.start, 1, false, new p.es.UserCredentials('pinkie', 'pie')), { name: 'AccessDeniedError' });
    await assert.rejects(p.connection.readAllEventsForward(p.es.positions.start, 1, false, new p.es.UserCredentials('admin', 'wrong')));
  },

  async 'delete'(p) {
    const s = p.stream('delete');
    await p.connection.appendToStream(s, p.es.expectedVersion.any, [p.event({ n: 0 }), p.event({ n: 1 })]);
    await p.connection.deleteStream(s, 1, false);
    assert.equal((await p.connection.readStreamEventsForward(s, 0, 10, false)).status, 'streamNotFound');
    await p.connection.appendToStream(s, p.es.expectedVersion.any, p.event({ n: 2 }));
    const again = await p.connection.readStreamEventsForward(s, 0, 10, false);
    assert.deepEqual(again.events.map((e) => number(e.event.eventNumber)), [2]);
    await p.connection.deleteStream(s, p.es.expectedVersion.any, true);
    assert.equal((await p.connection.readStreamEventsForward(s, 0, 10, false)).status, 'streamDeleted');
    await assert.rejects(p.connection.appendToStream(s, p.es.expectedVersion.any, p.event({ n: 3 })), { name: 'StreamDeletedError' });
  },

  async 'metadata'(p) {
    const s = p.stream('metadata');
    await p.connection.appendToStream(s, p.es.expectedVersion.any, [0, 1, 2, 3].map((n) => p.event({ n })));
    await p.connection.setStreamMetadataRaw(s, p.es.expectedVersion.noStream, { $maxCount: 2, mine: 'kept' }, p.admin);
    const meta = await p.connection.getStreamMetadataRaw(s, p.admin);
    assert.equal(number(meta.metastreamVersion), 0);
    assert.equal(JSON.parse(JSON.stringify(meta.streamMetadata)).mine, 'kept');
    assert.deepEqual(bodies(await p.connection.readStreamEventsForward(s, 0, 10, false)), [2, 3]);
  },

  async 'transactions'(p) {
    const s = p.stream('transaction');
    const tx = await p.connection.startTransaction(s, p.es.expectedVersion.noStream);
    await tx.write([p.event({ n: 0 }), p.event({ n: 1 })]);
    await tx.write(p.event({ n: 2 }));
    assert.equal((await p.connection.readStreamEventsForward(s, 0, 10, false)).status, 'streamNotFound');
    assert.equal(number((await tx.commit()).nextExpectedVersion), 2);
    assert.deepEqual(bodies(await p.connection.readStreamEventsForward(s, 0, 10, false)), [0, 1, 2]);
  },

  async 'volatile subscriptions'(p) {
    const s = p.stream('volatile');
    const inbox = new Inbox();
    const everything = new Inbox();
    let dropped;
    const ended = new Promise((resolve) => { dropped = resolve; });
    await p.connection.appendToStream(s, p.es.expectedVersion.any, p.event({ n: 0 }));
    const sub = await p.connection.subscribeToStream(s, false, (_, e) => inbox.put(e), (_, reason) => dropped(reason));
    const all = await p.connection.subscribeToAll(false, (_, e) => { if (e.event.eventStreamId === s) everything.put(e); }, () => {}, p.admin);
    await p.connection.appendToStream(s, p.es.expectedVersion.any, [p.event({ n: 1 }), p.event({ n: 2 })]);
    assert.deepEqual((await inbox.take(2, 'stream')).map((e) => JSON.parse(e.event.data.toString()).n), [1, 2]);
    assert.deepEqual((await everything.take(2, 'all')).map((e) => JSON.parse(e.event.data.toString()).n), [1, 2]);
    all.close();
    sub.close();
    assert.equal(await limit(ended, 'unsubscribe'), 'userInitiated');
  },

  async 'catch-up subscriptions'(p) {
    const s = p.stream('catchup');
    const history = Array.from({ length: 120 }, (_, n) => p.event({ n }));
    await p.connection.appendToStream(s, p.es.expectedVersion.any, history);
    const inbox = new Inbox();
    const everything = new Inbox();
    let live;
    const started = new Promise((resolve) => { live = resolve; });
    const sub = p.connection.subscribeToStreamFrom(s, null, false, (_, e) => inbox.put(e), () => live(), () => {}, undefined, 50);
    await limit(started, 'live processing');
    const all = p.connection.subscribeToAllFrom(null, false, (_, e) => { if (e.event.eventStreamId === s) everything.put(e); }, () => {}, () => {}, p.admin, 50);
    await p.connection.appendToStream(s, p.es.expectedVersion.any, p.event({ n: 120 }));
    const want = Array.from({ length: 121 }, (_, n) => n);
    assert.deepEqual((await inbox.take(121, 'stream')).map((e) => number(e.event.eventNumber)), want);
    assert.deepEqual((await everything.take(121, 'all')).map((e) => number(e.event.eventNumber)), want);
    sub.stop();
    all.stop();
  },

  async 'system projections'(p) {
    const s = p.stream('category');
    await p.connection.appendToStream(s, p.es.expectedVersion.any, p.event({ n: 7 }));
    const category = await p.connection.readStreamEventsBackward('$ce-category', -1, 1, true, p.admin);
    assert.equal(category.events[0].event.eventStreamId, s);
    assert.equal(category.events[0].link.eventType, '$>');
  },

  async 'persistent subscriptions'(p) {
    const s = p.stream('persistent');
    const settings = p.es.PersistentSubscriptionSettings.create();
    settings.startFrom = 0;
    settings.resolveLinkTos = false;
    await p.connection.appendToStream(s, p.es.expectedVersion.any, [0, 1, 2].map((n) => p.event({ n })));
    await p.connection.createPersistentSubscription(s, 'g', settings, p.admin);
    await assert.rejects(p.connection.createPersistentSubscription(s, 'g', settings, p.admin));
    const inbox = new Inbox();
    let failed = false;
    const nak = p.es.PersistentSubscriptionNakEventAction || { Retry: 2, Park: 1 };
    const sub = await p.connection.connectToPersistentSubscription(s, 'g', (subscription, e) => {
      inbox.put(e);
      const { n } = JSON.parse(e.event.data.toString());
      if (n === 1 && !failed) {
        failed = true;
        subscription.fail([e], nak.Retry, 'once more');
      } else if (n === 2) {
        subscription.fail([e], nak.Park, 'not now');
      } else {
        subscription.acknowledge([e]);
      }
    }, () => {}, p.admin, 10, false);
    await p.connection.appendToStream(s, p.es.expectedVersion.any, p.event({ n: 3 }));
    const got = (await inbox.take(5, 'group')).map((e) => JSON.parse(e.event.data.toString()).n).sort();
    assert.deepEqual(got, [0, 1, 1, 2, 3]);
    const parked = async () => (await p.connection.readStreamEventsForward(`$persistentsubscription-${s}::g-parked`, 0, 10, true, p.admin)).events;
    for (const began = Date.now(); (await parked()).length === 0;) {
      assert.ok(Date.now() - began < within, 'nothing was parked');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(JSON.parse((await parked())[0].event.data.toString()).n, 2);
    sub.stop();
    await p.connection.updatePersistentSubscription(s, 'g', settings, p.admin);
    await p.connection.deletePersistentSubscription(s, 'g', p.admin);
    await assert.rejects(p.connection.deletePersistentSubscription(s, 'g', p.admin));
  },

  async 'many appends at once'(p) {
    const s = p.stream('many');
    await Promise.all(Array.from({ length: 500 }, (_, n) => p.connection.appendToStream(s, p.es.expectedVersion.any, p.event({ n }))));
    const slice = await p.connection.readStreamEventsForward(s, 0, 1000, false);
    assert.deepEqual(bodies(slice).sort((a, b) => a - b), Array.from({ length: 500 }, (_, n) => n));
  },
};

async function run(node, client, tls) {
  const es = require(client);
  const name = `${client}${tls ? ' over TLS' : ''}`;
  const admin = new es.UserCredentials('admin', 'changeit');
  const endPoint = tls ? { host: 'localhost', port: node.tls } : `tcp://127.0.0.1:${node.tcp}`;
  const settings = { log: new es.NoopLogger(), useSslConnection: tls, validateServer: false, targetHost: tls ? 'localhost' : null };
  const connection = es.createConnection(settings, endPoint, name);
  const connected = new Promise((resolve, reject) => {
    connection.once('connected', resolve);
    connection.once('closed', (reason) => reject(new Error(`closed: ${reason}`)));
  });
  connection.on('error', () => {}); // failures come as rejections
  await connection.connect();
  await limit(connected, `${name}: connect`);
  const peer = new Peer(`${client.length}${tls ? 't' : 'p'}`, es, connection, admin);
  peer.node = node;
  let failures = 0;
  for (const [title, test] of Object.entries(tests)) {
    try {
      await limit(test(peer), title);
      console.log(`ok    ${name}: ${title}`);
    } catch (err) {
      failures++;
      console.log(`FAIL  ${name}: ${title}\n${err.stack}`);
    }
  }
  connection.close();
  return failures;
}

async function main() {
  const node = await startNode();
  let failures = 0;
  try {
    for (const client of clients) {
      for (const tls of [false, true]) failures += await run(node, client, tls);
    }
  } catch (err) {
    node.process.kill('SIGKILL');
    throw err;
  }
  await stopNode(node);
  if (failures > 0) throw new Error(`${failures} tests failed`);
  console.log('all peers pass');
}

main().then(() => process.exit(0), (err) => {
  console.error(err);
  process.exit(1);
});
