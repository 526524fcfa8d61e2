'use strict';
// Declaring, getting, consuming and settling with amqplib.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { anotherChannel, channelWithQueue, connect, name, options, until } = require('./support');

const send = (channel, queue, ...bodies) =>
  bodies.forEach((body) => channel.sendToQueue(queue, Buffer.from(body)));

const take = async (channel, queue) => {
  const message = await channel.get(queue, { noAck: true });
  return message && message.content.toString();
};

async function consume(channel, queue, consumeOptions) {
  const received = [];
  const { consumerTag } = await channel.consume(queue, (m) => received.push(m), consumeOptions);
  return { consumerTag, received, bodies: () => received.map((m) => m && m.content.toString()) };
}

test('a declared queue is found by a check', options, async () => {
  const { channel, queue } = await channelWithQueue();
  assert.deepEqual(await channel.checkQueue(queue), { queue, messageCount: 0, consumerCount: 0 });
});

test('the broker names a queue without a name', options, async () => {
  const channel = await (await connect()).createChannel();
  assert.match((await channel.assertQueue('', { exclusive: true })).queue, /^amq\.gen-/);
});

for (const [kind, binding, hit, miss] of [
  ['direct', 'red', 'red', 'green'],
  ['topic', '*.red.#', 'a.red.b.c', 'red.a'],
]) {
  test(`a ${kind} exchange routes by its key`, options, async () => {
    const { channel, queue } = await channelWithQueue();
    const { exchange } = await channel.assertExchange(name(), kind, { autoDelete: true });
    await channel.bindQueue(queue, exchange, binding);
    channel.publish(exchange, miss, Buffer.from(miss));
    channel.publish(exchange, hit, Buffer.from(hit));
    assert.equal(await take(channel, queue), hit);
    assert.equal(await take(channel, queue), false);
    await channel.unbindQueue(queue, exchange, binding);
  });
}

test('a headers exchange compares headers', options, async () => {
  const { channel, queue } = await channelWithQueue();
  const { exchange } = await channel.assertExchange(name(), 'headers', { autoDelete: true });
  await channel.bindQueue(queue, exchange, '', { 'x-match': 'any', color: 'red', size: 'big' });
  channel.publish(exchange, '', Buffer.from('miss'), { headers: { color: 'green' } });
  channel.publish(exchange, '', Buffer.from('hit'), { headers: { size: 'big' } });
  assert.equal(await take(channel, queue), 'hit');
  assert.equal(await take(channel, queue), false);
});

test('exchanges bound to exchanges pass messages on', options, async () => {
  const { channel, queue } = await channelWithQueue();
  const source = (await channel.assertExchange(name(), 'topic', { autoDelete: true })).exchange;
  const target = (await channel.assertExchange(name(), 'fanout', { autoDelete: true })).exchange;
  await channel.bindExchange(target, source, 'a.#');
  await channel.bindQueue(queue, target, '');
  channel.publish(source, 'a.b', Buffer.from('through two'));
  assert.equal(await take(channel, queue), 'through two');
  await channel.unbindExchange(target, source, 'a.#');
});

test('get answers with the message and how many are left', options, async () => {
  const { channel, queue } = await channelWithQueue();
  send(channel, queue, '1', '2');
  const message = await channel.get(queue);
  assert.equal(message.content.toString(), '1');
  assert.equal(message.fields.messageCount, 1);
  assert.equal(message.fields.redelivered, false);
  channel.ack(message);
  assert.equal(await take(channel, queue), '2');
  assert.equal(await channel.get(queue), false);
});

test('a consumer gets messages in order', options, async () => {
  const { channel, queue } = await channelWithQueue();
  const bodies = Array.from({ length: 100 }, (_, index) => String(index));
  send(channel, queue, ...bodies);
  const consumer = await consume(channel, queue);
  await until(() => consumer.received.length >= 100);
  assert.deepEqual(consumer.bodies(), bodies);
  channel.ackAll();
  await channel.recover();
  assert.equal(await until(() => consumer.received.length > 100, 300), false);
});

test('nack with requeue keeps the original position', options, async () => {
  const { channel, queue } = await channelWithQueue();
  send(channel, queue, '1', '2', '3');
  const [first, second] = [await channel.get(queue), await channel.get(queue)];
  channel.nack(second, false, true);
  channel.nack(first, false, true);
  const got = [];
  for (let count = 0; count < 3; count += 1) got.push(await channel.get(queue, { noAck: true }));
  assert.deepEqual(
    got.map((m) => [m.content.toString(), m.fields.redelivered]),
    [['1', true], ['2', true], ['3', false]],
  );
});

test('reject without requeue drops the message', options, async () => {
  const { channel, queue } = await channelWithQueue();
  send(channel, queue, '1', '2');
  channel.reject(await channel.get(queue), false);
  assert.equal(await take(channel, queue), '2');
  assert.equal(await channel.get(queue), false);
});

test('messages of a closed channel come back', options, async () => {
  const { connection, channel, queue } = await channelWithQueue();
  send(channel, queue, '1');
  await channel.checkQueue(queue);
  const other = await anotherChannel(connection);
  await other.get(queue);
  await other.close();
  assert.equal((await channel.get(queue, { noAck: true })).fields.redelivered, true);
});

test('prefetch limits what a consumer holds', options, async () => {
  const { channel, queue } = await channelWithQueue();
  await channel.prefetch(2);
  send(channel, queue, '1', '2', '3', '4');
  const consumer = await consume(channel, queue);
  await until(() => consumer.received.length > 2, 500);
  assert.deepEqual(consumer.bodies(), ['1', '2']);
  channel.ack(consumer.received[0]);
  await until(() => consumer.received.length > 3, 500);
  assert.deepEqual(consumer.bodies(), ['1', '2', '3']);
});

test('prefetch for the channel is shared by its consumers', options, async () => {
  const { channel, queue } = await channelWithQueue();
  await channel.prefetch(3, true);
  send(channel, queue, '1', '2', '3', '4', '5');
  const first = await consume(channel, queue);
  const second = await consume(channel, queue);
  const held = () => first.received.length + second.received.length;
  await until(() => held() > 3, 500);
  assert.equal(held(), 3);
});

test('a cancelled consumer gets nothing more', options, async () => {
  const { channel, queue } = await channelWithQueue();
  const consumer = await consume(channel, queue);
  await channel.cancel(consumer.consumerTag);
  send(channel, queue, 'late');
  assert.equal(await take(channel, queue), 'late');
  assert.deepEqual(consumer.received, []);
});

test('deleting the queue cancels its consumer', options, async () => {
  const { connection, channel, queue } = await channelWithQueue();
  const consumer = await consume(channel, queue);
  await (await anotherChannel(connection)).deleteQueue(queue);
  await until(() => consumer.received.length > 0);
  assert.deepEqual(consumer.received, [null]); // amqplib's way to say so
});

test('a consumer with a priority is served first', options, async () => {
  const { channel, queue } = await channelWithQueue();
  const low = await consume(channel, queue, { noAck: true });
  const high = await consume(channel, queue, { noAck: true, priority: 10 });
  send(channel, queue, '1', '2', '3');
  await until(() => low.received.length + high.received.length === 3);
  assert.deepEqual([low.bodies(), high.bodies()], [[], ['1', '2', '3']]);
});

test('purge and delete say how many messages went', options, async () => {
  const { channel, queue } = await channelWithQueue();
  send(channel, queue, '1', '2');
  assert.deepEqual(await channel.purgeQueue(queue), { messageCount: 2 });
  send(channel, queue, '3');
  assert.deepEqual(await channel.deleteQueue(queue), { messageCount: 1 });
});
