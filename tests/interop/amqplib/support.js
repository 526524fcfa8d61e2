'use strict';
// What the tests of amqplib start from: connections that are closed after each test, names of one's
// own, and answers that come within a time limit.

const { afterEach } = require('node:test');
const { randomBytes } = require('node:crypto');
const { execFile } = require('node:child_process');
const { promisify } = require('node:util');
const amqplib = require('amqplib');

const address = {
  protocol: 'amqp',
  hostname: process.env.LEVERET_TEST_HOST || '127.0.0.1',
  port: Number(process.env.LEVERET_TEST_PORT),
  username: 'guest',
  password: 'guest',
  vhost: '/',
  heartbeat: 30,
};

// Any test that takes longer has found a broker that does not answer.
const options = { timeout: 15000 };

let opened = [];

async function connect(changes = {}, socketOptions = {}) {
  const connection = await amqplib.connect(
    { ...address, ...changes },
    { timeout: 8000, ...socketOptions },
  );
  connection.on('error', () => {}); // the tests look at what their own calls answer
  opened.push(connection);
  return connection;
}

afterEach(async () => {
  const connections = opened;
  opened = [];
  await Promise.all(connections.map((connection) => connection.close().catch(() => {})));
});

const name = () => `leveret-interop-${randomBytes(6).toString('hex')}`;

// A channel with an exclusive queue; `kind` may be createConfirmChannel.
async function channelWithQueue(kind = 'createChannel', changes = {}) {
  const connection = await connect(changes);
  const channel = await connection[kind]();
  channel.on('error', () => {});
  const { queue } = await channel.assertQueue(name(), { exclusive: true });
  return { connection, channel, queue };
}

async function anotherChannel(connection) {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  return channel;
}

const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Waits until the condition holds; it says so instead of throwing when the time is over.
async function until(condition, milliseconds = 5000) {
  const end = Date.now() + milliseconds;
  while (!condition() && Date.now() < end) await sleep(10);
  return condition();
}

// The event of an emitter, or an error when it does not come.
function once(emitter, event, milliseconds = 5000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), milliseconds);
    emitter.once(event, (value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

const restartCommand = process.env.LEVERET_TEST_RESTART;
const restart = () => promisify(execFile)(restartCommand, { timeout: 110000 });
const withRestart = {
  timeout: 120000,
  skip: restartCommand ? false : 'LEVERET_TEST_RESTART names no command that restarts the broker',
};

module.exports = {
  address,
  amqplib,
  anotherChannel,
  channelWithQueue,
  connect,
  name,
  once,
  options,
  restart,
  until,
  withRestart,
};
