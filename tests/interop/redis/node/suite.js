// ioredis and node-redis: Pub/Sub as their users write it. One line a case.
'use strict';
const Redis = require('ioredis');
const { createClient } = require('redis');

const options = {};
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
const seconds = Number(options.timeout || 30);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function equal(got, want, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what || 'value'}: got ${a}, expected ${b}`);
}
async function until(condition, what) {
  for (let i = 0; i < 250; ++i) {
    if (await condition()) return;
    await sleep(20);
  }
  throw new Error(`${what} did not come`);
}

const open = [];
function io(extra = {}) {
  const client = new Redis(options.url, { maxRetriesPerRequest: 1, ...extra });
  client.on('error', () => {});
  open.push(() => client.disconnect());
  return client;
}
async function node(extra = {}) {
  const client = createClient({ url: options.url, ...extra });
  client.on('error', () => {});
  await client.connect();
  open.push(() => client.destroy());
  return client;
}

const cases = {
  async ioredis_messages() {
    const [subscriber, publisher] = [io(), io()];
    const got = [];
    subscriber.on('message', (channel, message) => got.push([channel, message]));
    equal(await subscriber.subscribe('io.a', 'io.b'), 2, 'count');
    equal(await publisher.publish('io.a', 'one'), 1);
    equal(await publisher.publish('io.b', 'two'), 1);
    await until(() => got.length === 2, 'two messages');
    equal(got, [['io.a', 'one'], ['io.b', 'two']]);
    equal(await subscriber.unsubscribe('io.a', 'io.b'), 0, 'left');
    equal(await subscriber.ping(), 'PONG');
  },
  async ioredis_patterns_and_buffers() {
    const [subscriber, publisher] = [io(), io()];
    const got = [];
    subscriber.on('pmessageBuffer', (pattern, channel, message) => got.push([String(pattern), String(channel), [...message]]));
    equal(await subscriber.psubscribe('io.p.*'), 1);
    await publisher.publish('io.p.x', Buffer.from([0, 255, 13, 10]));
    await until(() => got.length === 1, 'a message');
    equal(got, [['io.p.*', 'io.p.x', [0, 255, 13, 10]]]);
  },
  async ioredis_transactions_and_pipelines() {
    const client = io();
    equal(await client.multi().publish('io.nobody', 'x').ping().exec(), [[null, 0], [null, 'PONG']]);
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; ++i) pipeline.publish('io.nobody', String(i));
    equal((await pipeline.exec()).every(([error, count]) => error === null && count === 0), true);
  },
  async ioredis_subscribes_again() {
    const [subscriber, publisher] = [io(), io()];
    let heard = 0;
    subscriber.on('message', () => { heard += 1; });
    await subscriber.subscribe('io.again');
    equal(await publisher.client('KILL', 'TYPE', 'pubsub') >= 1, true, 'killed');
    await until(async () => (await publisher.publish('io.again', 'x')) > 0 && heard > 0, 'a message after the reconnect');
  },
  async ioredis_name_and_version() {
    const client = io({ connectionName: 'interop' });
    equal(await client.client('GETNAME'), 'interop');
    equal((await client.info('server')).includes('redis_version:7'), true);
    await client.call('NOPE').then(() => { throw new Error('no error'); },
      (error) => equal(error.message.startsWith("ERR unknown command 'NOPE'"), true, error.message));
  },
  async node_redis_messages() {
    for (const RESP of [2, 3]) {
      const [subscriber, publisher] = [await node({ RESP }), await node({ RESP })];
      const got = [];
      await subscriber.subscribe(['nr.a', 'nr.b'], (message, channel) => got.push([channel, message]));
      equal(await publisher.publish('nr.a', 'one'), 1);
      equal(await publisher.publish('nr.b', 'two'), 1);
      await until(() => got.length === 2, 'two messages');
      equal(got, [['nr.a', 'one'], ['nr.b', 'two']]);
      await subscriber.unsubscribe();
      // Wharf: another thread may count one that has just left for a moment more; it hears nothing.
      for (let i = 0; i < 100 && await publisher.publish('nr.a', 'x') !== 0; ++i);
      equal(await publisher.publish('nr.a', 'x'), 0);
      equal(String(await subscriber.ping()), 'PONG');
    }
  },
  async node_redis_patterns_and_shards() {
    const [subscriber, publisher] = [await node(), await node()];
    const got = [];
    await subscriber.pSubscribe('nr.p.*', (message, channel) => got.push([channel, message]));
    await subscriber.sSubscribe('nr.s', (message, channel) => got.push([channel, message]));
    equal(await publisher.publish('nr.p.x', '1'), 1);
    equal(await publisher.sPublish('nr.s', '2'), 1);
    await until(() => got.length === 2, 'two messages');
    equal(got, [['nr.p.x', '1'], ['nr.s', '2']]);
    await subscriber.pUnsubscribe();
    await subscriber.sUnsubscribe();
  },
  async node_redis_on_one_connection() {
    const client = await node({ RESP: 3 });
    const got = [];
    await client.subscribe('nr.one', (message) => got.push(message));
    equal(await client.publish('nr.one', 'self'), 1);
    await until(() => got.length === 1, 'its own message');
    equal(await client.multi().publish('nr.one', 'tx').ping().exec(), [1, 'PONG']);
    await until(() => got.length === 2, 'the second');
  },
  async node_redis_introspection() {
    const [subscriber, client] = [await node(), await node({ name: 'interop' })];
    await subscriber.subscribe('nr.i', () => {});
    equal(await client.pubSubChannels('nr.i*'), ['nr.i']);
    equal((await client.pubSubNumSub(['nr.i']))['nr.i'], 1);
    equal(await client.clientGetName(), 'interop');
    equal((await client.clientList()).some((each) => each.name === 'interop'), true);
    equal((await client.configGet('databases')).databases, '16');
  },
};

// What Debian's Redis 7.0 does not do as 7.2.
const newer = {
  node_redis_on_one_connection: 'node-redis waits for ever when its own message comes before the answer, as in 7.0',
};

async function main() {
  let failed = 0;
  for (const [name, body] of Object.entries(cases)) {
    if (!name.includes(options.filter || '')) continue;
    if (options.name === 'redis' && newer[name]) {
      console.log(`skip ${name}: ${newer[name]}`);
      continue;
    }
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`still running after ${seconds} s`)), seconds * 1000);
    });
    try {
      await Promise.race([body(), late]);
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}: ${String(error.message || error).replace(/\s+/g, ' ').slice(0, 400)}`);
    }
    clearTimeout(timer);
    for (const close of open.splice(0)) close();
  }
  process.exit(failed ? 1 : 0);
}
process.on('unhandledRejection', () => {});
main();
