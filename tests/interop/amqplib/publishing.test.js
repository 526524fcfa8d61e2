'use strict';
// Confirms, returns and all that a message carries, with amqplib. Transactions are not in its API.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { channelWithQueue, name, once, options } = require('./support');

const body = Buffer.from('body');

test('publishes are confirmed', options, async () => {
  const { channel, queue } = await channelWithQueue('createConfirmChannel');
  const errors = [];
  for (let count = 0; count < 100; count += 1) {
    channel.sendToQueue(queue, body, {}, (error) => errors.push(error));
  }
  await channel.waitForConfirms();
  assert.equal(errors.length, 100);
  assert.ok(errors.every((error) => error === null));
  assert.equal((await channel.checkQueue(queue)).messageCount, 100);
});

test('an unroutable mandatory message comes back before its confirm', options, async () => {
  const { channel } = await channelWithQueue('createConfirmChannel');
  const missing = name();
  const order = [];
  const returned = once(channel, 'return');
  channel.once('return', () => order.push('return'));
  channel.publish('', missing, body, { mandatory: true, messageId: 'm1' }, () =>
    order.push('confirm'),
  );
  await channel.waitForConfirms();
  const { fields, properties, content } = await returned;
  assert.deepEqual(order, ['return', 'confirm']);
  assert.equal(fields.replyCode, 312);
  assert.equal(fields.replyText, 'NO_ROUTE');
  assert.equal(fields.routingKey, missing);
  assert.equal(properties.messageId, 'm1');
  assert.deepEqual(content, body);
});

test('an unroutable mandatory message comes back without confirms', options, async () => {
  const { channel } = await channelWithQueue();
  const returned = once(channel, 'return');
  channel.publish('amq.topic', name(), body, { mandatory: true });
  assert.equal((await returned).fields.exchange, 'amq.topic');
});

test('headers of every type come back as they went', options, async () => {
  const { channel, queue } = await channelWithQueue();
  const typed = (type, value) => ({ '!': type, value });
  const sent = {
    boolean: true,
    int8: typed('int8', -128),
    uint8: typed('uint8', 255),
    int16: typed('int16', -32768),
    uint16: typed('uint16', 65535),
    int32: typed('int32', -2147483648),
    uint32: typed('uint32', 4294967295),
    int64: typed('int64', 2 ** 40),
    float: typed('float', 0.5),
    double: 0.1,
    decimal: typed('decimal', { places: 2, digits: 12345 }),
    timestamp: typed('timestamp', 1700000000),
    text: 'Grüße',
    bytes: Buffer.from([0, 255]),
    nothing: null,
    array: [1, 'two', null, [3.5, { deep: true }]],
    table: { inner: { innermost: [1, 2] }, empty: {} },
  };
  channel.sendToQueue(queue, body, { headers: sent });
  const { headers } = (await channel.get(queue, { noAck: true })).properties;
  // amqplib gives numbers back as numbers, and keeps the mark on the two that JavaScript lacks.
  const plain = (value) =>
    value && value['!'] && !['decimal', 'timestamp'].includes(value['!']) ? value.value : value;
  const expected = Object.fromEntries(Object.entries(sent).map(([key, v]) => [key, plain(v)]));
  assert.deepEqual({ ...headers }, expected);
  assert.deepEqual(Object.keys(headers), Object.keys(sent));
});

test('all properties come back as they went', options, async () => {
  const { channel, queue } = await channelWithQueue();
  const sent = {
    contentType: 'text/plain',
    contentEncoding: 'utf-8',
    headers: { h: 'v' },
    deliveryMode: 2,
    priority: 7,
    correlationId: 'correlation',
    replyTo: 'reply',
    expiration: '60000',
    messageId: 'message',
    timestamp: 1700000000,
    type: 'kind',
    userId: 'guest',
    appId: 'app',
  };
  channel.sendToQueue(queue, body, sent);
  const { properties } = await channel.get(queue, { noAck: true });
  assert.deepEqual({ ...properties, clusterId: undefined }, { ...sent, clusterId: undefined });
});

test('CC sends a copy and BCC one that does not tell', options, async () => {
  const { channel, queue } = await channelWithQueue();
  const second = (await channel.assertQueue('', { exclusive: true })).queue;
  const third = (await channel.assertQueue('', { exclusive: true })).queue;
  channel.sendToQueue(queue, body, { CC: [second], BCC: [third] });
  for (const copy of [queue, second, third]) {
    const { headers } = (await channel.get(copy, { noAck: true })).properties;
    assert.deepEqual({ ...headers }, { CC: [second] });
  }
});

for (const size of [0, 1, 4088, 4089, 131064, 131065, 3000000]) {
  test(`a body of ${size} bytes comes back whole`, options, async () => {
    const { channel, queue } = await channelWithQueue();
    const sent = Buffer.alloc(size, '0123456789abcdef');
    channel.sendToQueue(queue, sent);
    assert.ok((await channel.get(queue, { noAck: true })).content.equals(sent));
  });
}

test('small frames carry large bodies', options, async () => {
  const { channel, queue } = await channelWithQueue('createChannel', { frameMax: 8192 });
  const sent = Buffer.alloc(100000, 'x');
  channel.sendToQueue(queue, sent);
  assert.ok((await channel.get(queue, { noAck: true })).content.equals(sent));
});
