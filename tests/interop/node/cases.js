// What a Node application does with amqplib's promise API.
'use strict';
const assert = require('assert');
const { EventEmitter, once } = require('events');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Collects deliveries; `next(count)` resolves when so many are there.
class Inbox {
  constructor() {
    this.messages = [];
    this.bell = new EventEmitter();
    this.take = (message) => { this.messages.push(message); this.bell.emit('ring'); };
  }
  async next(count) {
    while (this.messages.length < count) await once(this.bell, 'ring');
    return this.messages;
  }
  get texts() { return this.messages.map((message) => message && message.content.toString()); }
}

async function getSoon(channel, queue, settings = { noAck: true }) {
  for (let i = 0; i < 200; i++) {
    const message = await channel.get(queue, settings);
    if (message) return message;
    await sleep(20);
  }
  throw new Error(`nothing came to ${queue}`);
}

async function rejection(promise) {
  try { await promise; } catch (error) { return error; }
  throw new Error('expected an error');
}

module.exports = {
  async publish_and_consume(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    const inbox = new Inbox();
    await channel.consume(queue, inbox.take);
    for (let i = 0; i < 100; i++) channel.sendToQueue(queue, Buffer.from(`m${i}`), { persistent: true });
    await inbox.next(100);
    assert.deepStrictEqual(inbox.texts, Array.from({ length: 100 }, (_, i) => `m${i}`));
    inbox.messages.forEach((message) => channel.ack(message));
    await channel.close();
  },

  async prefetch_and_ack(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    await channel.prefetch(2);
    const inbox = new Inbox();
    await channel.consume(queue, inbox.take);
    for (let i = 0; i < 5; i++) channel.sendToQueue(queue, Buffer.from(`${i}`));
    await inbox.next(2);
    await sleep(200);
    assert.strictEqual(inbox.messages.length, 2);
    channel.ack(inbox.messages[1], true);
    await inbox.next(4);
    channel.ackAll();
    await inbox.next(5);
  },

  async nack_requeues_with_the_flag(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    const inbox = new Inbox();
    await channel.consume(queue, inbox.take);
    channel.sendToQueue(queue, Buffer.from('x'));
    await inbox.next(1);
    channel.nack(inbox.messages[0]);
    await inbox.next(2);
    assert.deepStrictEqual(inbox.messages.map((m) => m.fields.redelivered), [false, true]);
    channel.reject(inbox.messages[1], false);
    assert.strictEqual((await channel.checkQueue(queue)).messageCount, 0);
  },

  async confirm_channel(t) {
    const channel = await (await t.connect()).createConfirmChannel();
    const queue = await t.queue(channel);
    let called = 0;
    for (let i = 0; i < 500; i++) {
      channel.sendToQueue(queue, Buffer.from(`${i}`), { persistent: true }, (error) => { if (!error) called += 1; });
    }
    await channel.waitForConfirms();
    assert.strictEqual(called, 500);
    assert.strictEqual((await channel.checkQueue(queue)).messageCount, 500);
  },

  async confirm_refused(t) {
    const channel = await (await t.connect()).createConfirmChannel();
    const queue = await t.queue(channel, 'q', { maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } });
    const results = [];
    for (let i = 0; i < 3; i++) {
      await new Promise((done) => channel.sendToQueue(queue, Buffer.from('x'), {}, (error) => {
        results.push(Boolean(error));
        done();
      }));
    }
    assert.deepStrictEqual(results, [false, true, true]);
  },

  async mandatory_return_comes_before_the_confirm(t) {
    const channel = await (await t.connect()).createConfirmChannel();
    const order = [];
    channel.on('return', (message) => order.push(`return ${message.fields.replyCode} ${message.content}`));
    await new Promise((done) => channel.publish('amq.direct', 'nobody', Buffer.from('x'), { mandatory: true },
      () => { order.push('confirm'); done(); }));
    assert.deepStrictEqual(order, ['return 312 x', 'confirm']);
  },

  async rpc_over_direct_reply_to(t) {
    const client = await t.channel();
    const server = await t.channel();
    const queue = await t.queue(server);
    await server.consume(queue, (message) => {
      server.sendToQueue(message.properties.replyTo, Buffer.from(`${message.content}!`),
        { correlationId: message.properties.correlationId });
      server.ack(message);
    });
    const inbox = new Inbox();
    await client.consume('amq.rabbitmq.reply-to', inbox.take, { noAck: true });
    for (let i = 0; i < 20; i++) {
      client.sendToQueue(queue, Buffer.from(`${i}`), { replyTo: 'amq.rabbitmq.reply-to', correlationId: `${i}` });
    }
    await inbox.next(20);
    for (const message of inbox.messages) {
      assert.strictEqual(message.content.toString(), `${message.properties.correlationId}!`);
    }
  },

  async rpc_over_a_callback_queue(t) {
    const client = await t.channel();
    const server = await t.channel();
    const queue = await t.queue(server);
    await server.consume(queue, (message) => server.sendToQueue(message.properties.replyTo, message.content, {
      correlationId: message.properties.correlationId }), { noAck: true });
    const callback = (await client.assertQueue('', { exclusive: true })).queue;
    const inbox = new Inbox();
    await client.consume(callback, inbox.take, { noAck: true });
    client.sendToQueue(queue, Buffer.from('ping'), { replyTo: callback, correlationId: 'one' });
    await inbox.next(1);
    assert.deepStrictEqual([inbox.texts[0], inbox.messages[0].properties.correlationId], ['ping', 'one']);
  },

  async header_types_round_trip(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    const headers = {
      text: 'h\u00e9llo \u4e2d\u6587', tiny: 5, negative: -5, short: 3000, int: 70000, long: 2 ** 40, double: 1.5, yes: true, no: false,
      nothing: null, buffer: Buffer.from([0, 255]), list: [1, 'two', [3]], table: { inner: { deep: 'x' } },
    };
    channel.sendToQueue(queue, Buffer.from('x'), {
      headers: { ...headers, stamp: { '!': 'timestamp', value: 1700000000 }, float: { '!': 'float', value: 0.5 } } });
    const got = (await getSoon(channel, queue)).properties.headers;
    assert.deepStrictEqual(got.stamp, { '!': 'timestamp', value: 1700000000 });
    assert.strictEqual(typeof got.float === 'object' ? got.float.value : got.float, 0.5);
    for (const key of Object.keys(headers)) assert.deepStrictEqual(got[key], headers[key], key);
  },

  async every_property(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    const settings = {
      contentType: 'text/plain', contentEncoding: 'utf8', persistent: true, priority: 4, correlationId: 'c',
      replyTo: 'r', expiration: '60000', messageId: 'm', timestamp: 1700000000000, type: 't', userId: 'guest', appId: 'a',
    };
    channel.sendToQueue(queue, Buffer.from('x'), settings);
    const got = (await getSoon(channel, queue)).properties;
    for (const key of Object.keys(settings)) {
      if (key === 'persistent') assert.strictEqual(got.deliveryMode, 2);
      else assert.strictEqual(got[key], settings[key], key);
    }
  },

  async topic_and_exchange_bindings(t) {
    const channel = await t.channel();
    const source = t.name('source');
    const middle = t.name('middle');
    await channel.assertExchange(source, 'topic');
    await channel.assertExchange(middle, 'fanout');
    await channel.bindExchange(middle, source, 'log.*');
    const queue = await t.queue(channel);
    await channel.bindQueue(queue, middle, '');
    channel.publish(source, 'log.info', Buffer.from('yes'));
    channel.publish(source, 'other', Buffer.from('no'));
    assert.strictEqual((await getSoon(channel, queue)).content.toString(), 'yes');
    await channel.unbindExchange(middle, source, 'log.*');
    channel.publish(source, 'log.info', Buffer.from('late'));
    await sleep(100);
    assert.strictEqual(await channel.get(queue), false);
  },

  async channel_error_event(t) {
    const connection = await t.connect();
    const channel = await connection.createChannel();
    const seen = once(channel, 'error');
    const thrown = await rejection(channel.checkQueue('no-such-queue-here'));
    const [error] = await seen;
    assert.strictEqual(error.code, 404);
    assert.strictEqual(error.classId, 50);
    assert.strictEqual(error.methodId, 10);
    assert.match(error.message, /NOT-FOUND|NOT_FOUND/);
    assert.match(thrown.message, /404/);
    const next = await connection.createChannel();
    await next.assertQueue('', { exclusive: true });
  },

  async inequivalent_queue(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel, 'q', { durable: true });
    const error = await rejection(channel.assertQueue(queue, { durable: false }));
    assert.strictEqual(error.code, 406);
    assert.match(error.message, /inequivalent arg 'durable'/);
  },

  async ack_twice_is_a_channel_error(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    channel.sendToQueue(queue, Buffer.from('x'));
    const message = await getSoon(channel, queue, {});
    const seen = once(channel, 'error');
    channel.ack(message);
    channel.ack(message);
    const [error] = await seen;
    assert.strictEqual(error.code, 406);
    assert.match(error.message, /unknown delivery tag 1/);
  },

  async connection_error_event(t) {
    const connection = await t.connect();
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    const queue = await t.queue(channel);
    const seen = once(connection, 'error');
    // once() would reject here, for an error event comes first.
    const closed = new Promise((done) => connection.on('close', done));
    await channel.consume(queue, () => {}, { consumerTag: 'same' });
    channel.consume(queue, () => {}, { consumerTag: 'same' }).catch(() => {});
    const [error] = await seen;
    assert.strictEqual(error.code, 530);
    await closed;
  },

  async bad_login(t) {
    const amqp = require('amqplib');
    const error = await rejection(amqp.connect(t.url.replace('guest:guest', 'guest:wrong')));
    assert.match(error.message, /403|ACCESS_REFUSED/);
  },

  async missing_vhost(t) {
    const amqp = require('amqplib');
    const error = await rejection(amqp.connect(t.url.replace(/%2f$/i, 'no-such-vhost')));
    assert.match(error.message, /530|NOT_ALLOWED|ConnectionClose/);
  },

  async consumer_cancelled_by_the_server(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    const inbox = new Inbox();
    await channel.consume(queue, inbox.take);
    await (await t.channel()).deleteQueue(queue);
    await inbox.next(1);
    assert.strictEqual(inbox.messages[0], null);
  },

  async many_channels_at_once(t) {
    const connection = await t.connect();
    const work = async (number) => {
      const channel = await connection.createChannel();
      const queue = await t.queue(channel, `q${number}`);
      const inbox = new Inbox();
      await channel.consume(queue, inbox.take, { noAck: true });
      for (let i = 0; i < 50; i++) channel.sendToQueue(queue, Buffer.alloc(i * 100, number));
      await inbox.next(50);
      inbox.messages.forEach((message, i) => assert.strictEqual(message.content.length, i * 100));
      await channel.close();
    };
    await Promise.all(Array.from({ length: 30 }, (_, number) => work(number)));
  },

  async large_messages(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    const inbox = new Inbox();
    await channel.consume(queue, inbox.take, { noAck: true });
    const sizes = [0, 1, 4088, 131064, 131065, 1 << 20];
    for (const size of sizes) channel.sendToQueue(queue, Buffer.alloc(size, 7));
    await inbox.next(sizes.length);
    assert.deepStrictEqual(inbox.messages.map((message) => message.content.length), sizes);
  },

  async small_frame_max(t) {
    const channel = await (await t.connect('?frameMax=4096')).createChannel();
    const queue = await t.queue(channel);
    channel.sendToQueue(queue, Buffer.alloc(50000, 3));
    assert.strictEqual((await getSoon(channel, queue)).content.length, 50000);
  },

  async heartbeat_of_one_second(t) {
    const connection = await t.connect('?heartbeat=1');
    const channel = await connection.createChannel();
    await sleep(3500);
    await channel.assertQueue('', { exclusive: true });
  },

  async dead_letter_and_priority_settings(t) {
    const channel = await t.channel();
    const dead = await t.queue(channel, 'dead');
    const queue = await t.queue(channel, 'q', {
      deadLetterExchange: '', deadLetterRoutingKey: dead, messageTtl: 100, maxPriority: 5, expires: 60000 });
    channel.sendToQueue(queue, Buffer.from('x'), { priority: 2, headers: { mine: 1 } });
    const message = await getSoon(channel, dead);
    assert.strictEqual(message.properties.headers['x-death'][0].reason, 'expired');
    assert.strictEqual(message.properties.headers.mine, 1);
  },

  async recover(t) {
    const channel = await t.channel();
    const queue = await t.queue(channel);
    channel.sendToQueue(queue, Buffer.from('x'));
    await getSoon(channel, queue, {});
    await channel.recover();
    assert.strictEqual((await getSoon(channel, queue)).fields.redelivered, true);
  },
};
