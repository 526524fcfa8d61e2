'use strict';
// What the broker refuses, as amqplib's errors and events.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { anotherChannel, channelWithQueue, connect, name, once, options } = require('./support');

const refusal = (code, text) => (error) => error.code === code && error.message.includes(text);

test('a missing queue is 404', options, async () => {
  const channel = await anotherChannel(await connect());
  const queue = name();
  await assert.rejects(
    channel.checkQueue(queue),
    refusal(404, `NOT_FOUND - no queue '${queue}' in vhost '/'`),
  );
});

test('a publish to a missing exchange is 404', options, async () => {
  const channel = await anotherChannel(await connect());
  const exchange = name();
  const failed = once(channel, 'error');
  channel.publish(exchange, 'key', Buffer.from('lost'));
  const error = await failed;
  assert.equal(error.code, 404);
  assert.deepEqual([error.classId, error.methodId], [60, 40]);
  assert.ok(error.message.includes(`NOT_FOUND - no exchange '${exchange}' in vhost '/'`));
});

test("another's exclusive queue is 405", options, async () => {
  const { queue } = await channelWithQueue();
  const other = await anotherChannel(await connect());
  await assert.rejects(
    other.checkQueue(queue),
    refusal(405, 'RESOURCE_LOCKED - cannot obtain exclusive access to locked queue'),
  );
});

test('another argument is 406', options, async () => {
  const { channel, queue } = await channelWithQueue();
  await assert.rejects(
    channel.assertQueue(queue, { exclusive: true, autoDelete: true }),
    refusal(406, `PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue '${queue}'`),
  );
});

test('an ack of a message that is settled is 406', options, async () => {
  const { channel, queue } = await channelWithQueue();
  channel.sendToQueue(queue, Buffer.from('x'));
  const message = await channel.get(queue);
  const failed = once(channel, 'error');
  channel.ack(message);
  channel.ack(message);
  const error = await failed;
  assert.equal(error.code, 406);
  assert.match(error.message, /PRECONDITION_FAILED - unknown delivery tag 1/);
});

test('a name that begins with amq. is 403', options, async () => {
  const channel = await anotherChannel(await connect());
  await assert.rejects(channel.assertQueue(`amq.${name()}`), refusal(403, 'ACCESS_REFUSED'));
});

test('a queue that is not empty is not deleted if it has to be', options, async () => {
  const { channel, queue } = await channelWithQueue();
  channel.sendToQueue(queue, Buffer.from('x'));
  await assert.rejects(
    channel.deleteQueue(queue, { ifEmpty: true }),
    refusal(406, `queue '${queue}' in vhost '/' not empty`),
  );
});

test('an error closes its channel and no other', options, async () => {
  const { connection, channel, queue } = await channelWithQueue();
  const broken = await anotherChannel(connection);
  const closed = once(broken, 'close');
  await assert.rejects(broken.checkQueue(name()));
  await closed;
  channel.sendToQueue(queue, Buffer.from('still here'));
  const message = await channel.get(queue, { noAck: true });
  assert.equal(message.content.toString(), 'still here');
});

test('a consumer tag used twice closes the connection', options, async () => {
  const { connection, channel, queue } = await channelWithQueue();
  const failed = once(connection, 'error');
  await channel.consume(queue, () => {}, { consumerTag: 'twice' });
  await assert.rejects(channel.consume(queue, () => {}, { consumerTag: 'twice' }));
  const error = await failed;
  assert.equal(error.code, 530);
  assert.match(error.message, /attempt to reuse consumer tag 'twice'/);
});

test('a virtual host that is not there is refused', options, async () => {
  // amqplib tells that it is a close, but not which.
  await assert.rejects(connect({ vhost: 'nowhere-here' }), /ConnectionClose channel:0/);
});

test('a wrong password is refused', options, async () => {
  await assert.rejects(connect({ password: 'wrong' }), /ACCESS_REFUSED/);
});
