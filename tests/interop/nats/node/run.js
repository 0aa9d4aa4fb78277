// nats.js suite: what its users do, against one server.
'use strict';
const { connect, headers, StringCodec, ErrorCode } = require('nats');
const assert = require('assert');
const crypto = require('crypto');

const options = {};
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
const seconds = Number(options.timeout || 30);
const text = StringCodec();

class Context {
  constructor() {
    this.open = [];
    this.prefix = `interop.node.${crypto.randomBytes(4).toString('hex')}`;
  }
  async connect(extra = {}) {
    const connection = await connect({ servers: options.url, ...extra });
    this.open.push(connection);
    return connection;
  }
  async clean() {
    for (const each of this.open) if (!each.isClosed()) await each.close();
  }
}

async function collect(subscription, count) {
  const got = [];
  for await (const message of subscription) {
    got.push(message);
    if (got.length === count) break;
  }
  return got;
}

const cases = {
  async publish_and_subscribe(t) {
    const connection = await t.connect();
    const subscription = connection.subscribe(`${t.prefix}.*`);
    for (let i = 0; i < 100; i += 1) connection.publish(`${t.prefix}.a`, text.encode(String(i)));
    const got = await collect(subscription, 100);
    assert.deepStrictEqual(got.map((m) => text.decode(m.data)), [...Array(100).keys()].map(String));
  },
  async request_and_reply(t) {
    const [client, service] = [await t.connect(), await t.connect()];
    service.subscribe(`${t.prefix}.svc`, { callback: (_, m) => m.respond(text.encode(`re:${text.decode(m.data)}`)) });
    await service.flush();
    const answers = await Promise.all(
      [...Array(50).keys()].map((i) => client.request(`${t.prefix}.svc`, text.encode(String(i)), { timeout: 5000 })));
    assert.deepStrictEqual(answers.map((m) => text.decode(m.data)), [...Array(50).keys()].map((i) => `re:${i}`));
  },
  async request_without_mux(t) {
    const connection = await t.connect();
    connection.subscribe(`${t.prefix}.svc`, { callback: (_, m) => m.respond(text.encode('ok')) });
    const answer = await connection.request(`${t.prefix}.svc`, text.encode('x'), { timeout: 5000, noMux: true });
    assert.strictEqual(text.decode(answer.data), 'ok');
  },
  async no_responders(t) {
    const connection = await t.connect();
    await assert.rejects(connection.request(`${t.prefix}.nobody`, undefined, { timeout: 5000 }),
      (error) => error.code === ErrorCode.NoResponders);
  },
  async jetstream_is_not_enabled(t) {
    const connection = await t.connect();
    await assert.rejects(async () => (await connection.jetstreamManager()).getAccountInfo(),
      (error) => error.code === ErrorCode.JetStreamNotEnabled || error.code === ErrorCode.NoResponders);
  },
  async message_headers(t) {
    const connection = await t.connect();
    const subscription = connection.subscribe(t.prefix);
    const given = headers();
    given.append('Trace-Id', '42');
    given.append('Many', 'one');
    given.append('Many', 'two');
    connection.publish(t.prefix, text.encode('x'), { headers: given });
    const [message] = await collect(subscription, 1);
    assert.strictEqual(message.headers.get('Trace-Id'), '42');
    assert.deepStrictEqual(message.headers.values('Many'), ['one', 'two']);
  },
  async queue_group(t) {
    const connections = [await t.connect(), await t.connect(), await t.connect()];
    const counts = [0, 0, 0];
    connections.forEach((c, i) => c.subscribe(t.prefix, { queue: 'workers', callback: () => { counts[i] += 1; } }));
    for (const c of connections) await c.flush();
    for (let i = 0; i < 300; i += 1) connections[0].publish(t.prefix);
    await connections[0].flush();
    for (const c of connections) await c.flush();
    assert.strictEqual(counts[0] + counts[1] + counts[2], 300);
    assert.ok(Math.min(...counts) > 30, `uneven: ${counts}`);
  },
  async auto_unsubscribe(t) {
    const connection = await t.connect();
    const subscription = connection.subscribe(t.prefix, { max: 3 });
    for (let i = 0; i < 10; i += 1) connection.publish(t.prefix);
    let count = 0;
    for await (const _ of subscription) count += 1;
    assert.strictEqual(count, 3);
  },
  async no_echo(t) {
    const connection = await t.connect({ noEcho: true });
    let count = 0;
    connection.subscribe(t.prefix, { callback: () => { count += 1; } });
    connection.publish(t.prefix);
    await connection.flush();
    await connection.flush();
    assert.strictEqual(count, 0);
  },
  async drain(t) {
    const [sub, pub] = [await t.connect(), await t.connect()];
    let count = 0;
    sub.subscribe(t.prefix, { callback: () => { count += 1; } });
    await sub.flush();
    for (let i = 0; i < 1000; i += 1) pub.publish(t.prefix);
    await pub.flush();
    await sub.drain();
    assert.strictEqual(count, 1000);
  },
  async large_and_binary(t) {
    const connection = await t.connect();
    const subscription = connection.subscribe(t.prefix);
    const body = crypto.randomBytes(connection.info.max_payload);
    connection.publish(t.prefix, body);
    const [message] = await collect(subscription, 1);
    assert.ok(Buffer.from(message.data).equals(body));
  },
  async round_trip_time_and_info(t) {
    const connection = await t.connect({ name: 'interop' });
    assert.ok(await connection.rtt() >= 0);
    assert.ok(connection.info.headers && connection.info.client_id > 0);
  },
};

function bounded(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function main() {
  let failed = 0;
  for (const [name, body] of Object.entries(cases)) {
    if (!name.includes(options.filter || '')) continue;
    const context = new Context();
    try {
      await bounded(body(context));
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}: ${String(error.message || error).replace(/\s+/g, ' ').slice(0, 400)}`);
    }
    await bounded(context.clean()).catch(() => {});
  }
  process.exit(failed ? 1 : 0);
}

process.on('unhandledRejection', () => {});
main();
