'use strict';
// Questions and answers, and coming back after a restart, with amqplib.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const {
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
} = require('./support');

const directReplyTo = 'amq.rabbitmq.reply-to';

async function serve() {
  const { connection, channel, queue } = await channelWithQueue();
  await channel.consume(
    queue,
    ({ content, properties: { replyTo, correlationId } }) =>
      channel.sendToQueue(replyTo, Buffer.from(content.toString().toUpperCase()), {
        correlationId,
      }),
    { noAck: true },
  );
  return { connection, queue };
}

async function ask(channel, queue, replyTo) {
  const answers = [];
  await channel.consume(replyTo, (message) => answers.push(message), { noAck: true });
  channel.sendToQueue(queue, Buffer.from('hello'), { replyTo, correlationId: 'c1' });
  await until(() => answers.length > 0);
  return answers.map((m) => [m.properties.correlationId, m.content.toString()]);
}

test('an answer comes to a queue of the client', options, async () => {
  const { connection, queue } = await serve();
  const asking = await anotherChannel(connection);
  const replies = (await asking.assertQueue('', { exclusive: true })).queue;
  assert.deepEqual(await ask(asking, queue, replies), [['c1', 'HELLO']]);
});

test('an answer comes by direct reply-to', options, async () => {
  const { connection, queue } = await serve();
  const asking = await anotherChannel(connection);
  assert.deepEqual(await ask(asking, queue, directReplyTo), [['c1', 'HELLO']]);
});

test('a connection that is closed by a restart says why', withRestart, async () => {
  const connection = await connect();
  const failed = once(connection, 'close', 60000);
  await restart();
  const error = await failed;
  assert.equal(error.code, 320);
  assert.match(error.message, /CONNECTION_FORCED/);
  const { channel, queue } = await channelWithQueue();
  channel.sendToQueue(queue, Buffer.from('after'));
  assert.equal((await channel.get(queue)).content.toString(), 'after');
});

test('a connection with recovery comes back with its consumers', withRestart, async () => {
  const queue = name();
  const received = [];
  let sender;
  const recovery = {
    initialDelay: 200,
    maxDelay: 500,
    async setup(model) {
      sender = await model.createChannel();
      await sender.assertQueue(queue, { exclusive: true });
      await sender.consume(queue, (m) => received.push(m.content.toString()), { noAck: true });
    },
  };
  const connection = await amqplib.connect(address, { recovery });
  connection.on('error', () => {});
  const before = sender;
  await restart();
  await until(() => sender !== before, 30000);
  await until(() => {
    try {
      return received.length || (sender.sendToQueue(queue, Buffer.from('after')), false);
    } catch {
      return false;
    }
  });
  assert.ok(received.includes('after'));
  await connection.close();
});
