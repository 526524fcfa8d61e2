'use strict';
// AMQP over a WebSocket, as web browsers speak it, with CloudAMQP's client.

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { test } = require('node:test');
const { AMQPWebSocketClient } = require('@cloudamqp/amqp-client');

const host = process.env.LEVERET_TEST_HOST || '127.0.0.1';
const url = `ws://${host}:${process.env.LEVERET_TEST_MANAGEMENT_PORT}/ws/amqp`;

// RabbitMQ has no such door.
const skip = process.env.LEVERET_TEST_BROKER === 'rabbitmq' && 'RabbitMQ has no such door';
const options = { timeout: 15000, skip };

const name = () => `leveret-interop-${randomBytes(6).toString('hex')}`;

async function withChannel(work) {
  const client = new AMQPWebSocketClient(url, '/', 'guest', 'guest');
  const connection = await client.connect();
  try {
    await work(await connection.channel());
  } finally {
    await connection.close();
  }
}

test('messages go over a WebSocket and come back', options, async () => {
  await withChannel(async (channel) => {
    const queue = name();
    await channel.queueDeclare(queue, { exclusive: true });
    await channel.confirmSelect();
    for (const size of [0, 1, 5000, 200000]) {
      const body = 'x'.repeat(size);
      await channel.basicPublish('', queue, body);
      const message = await channel.basicGet(queue, { noAck: true });
      assert.equal(message.bodyString() ?? '', body);
    }
  });
});

test('a consumer over a WebSocket gets all, in order', options, async () => {
  await withChannel(async (channel) => {
    const queue = name();
    await channel.queueDeclare(queue, { exclusive: true });
    const seen = [];
    await new Promise((done, failed) => {
      const take = async (message) => {
        seen.push(message.bodyString());
        await message.ack();
        if (seen.length === 500) done();
      };
      const publish = async () => {
        await channel.basicConsume(queue, { noAck: false }, take);
        for (let number = 0; number < 500; number += 1) {
          await channel.basicPublish('', queue, String(number));
        }
      };
      publish().catch(failed);
    });
    assert.deepEqual(seen, Array.from({ length: 500 }, (_, number) => String(number)));
  });
});

test('a wrong password is refused', options, async () => {
  const client = new AMQPWebSocketClient(url, '/', 'guest', 'wrong');
  await assert.rejects(client.connect());
});
