// amqplib suite: harness. Cases live in cases.js as {name: async (t) => ...}.
'use strict';
const amqp = require('amqplib');
const crypto = require('crypto');

const options = {};
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];
const seconds = Number(options.timeout || 30);

class Context {
  constructor(name) {
    this.url = options.url;
    this.server = options.name || 'wharf';
    this.prefix = `interop.node.${name}.${crypto.randomBytes(3).toString('hex')}`;
    this.open = [];
    this.names = [];
  }
  async connect(extra = '') {
    const connection = await amqp.connect(this.url + extra);
    connection.on('error', () => {});  // cases that expect one add their own listener
    this.open.push(connection);
    return connection;
  }
  async channel() {
    const channel = await (await this.connect()).createChannel();
    channel.on('error', () => {});
    return channel;
  }
  name(suffix = 'q') {
    const full = `${this.prefix}.${suffix}`;
    this.names.push(full);
    return full;
  }
  async queue(channel, suffix = 'q', settings = {}) {
    return (await channel.assertQueue(this.name(suffix), settings)).queue;
  }
  async clean() {
    const connection = await amqp.connect(this.url);
    const channel = await connection.createChannel();
    for (const name of this.names) {
      await channel.deleteQueue(name);
      await channel.deleteExchange(name);
    }
    await connection.close();
    for (const each of this.open) await each.close().catch(() => {});
  }
}

function bounded(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function main() {
  const cases = require('./cases.js');
  let failed = 0;
  for (const [name, body] of Object.entries(cases)) {
    if (!name.includes(options.filter || '')) continue;
    const context = new Context(name);
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
