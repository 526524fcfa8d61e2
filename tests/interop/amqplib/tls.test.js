'use strict';
// TLS with amqplib: certificates on either side, and a login by certificate.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');
const { amqplib, connect: connectTo, name, options } = require('./support');

const folder = process.env.LEVERET_TEST_CERTIFICATES;
const user = 'interop-client';
const skipped = { ...options, skip: folder ? false : 'there are no certificates' };

const file = (file) => readFileSync(join(folder, file));
const ours = () => ({ cert: file('client.pem'), key: file('client.key') });

function connect(changes = {}) {
  const port = Number(process.env.LEVERET_TEST_TLS_PORT);
  const own = { ca: [file('ca.pem')], servername: 'localhost' };
  return connectTo({ protocol: 'amqps', port }, { ...own, ...changes });
}

async function put(path, body) {
  const { LEVERET_TEST_HOST: host, LEVERET_TEST_MANAGEMENT_PORT: port } = process.env;
  const answer = await fetch(`http://${host}:${port}/api/${path}`, {
    method: 'PUT',
    headers: {
      authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
}

async function exchange(connection, body, properties = {}) {
  const channel = await connection.createConfirmChannel();
  const { queue } = await channel.assertQueue(name(), { exclusive: true });
  channel.sendToQueue(queue, body, properties);
  await channel.waitForConfirms();
  return channel.get(queue, { noAck: true });
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  test(`messages of any size go over ${version}`, skipped, async () => {
    const connection = await connect({ minVersion: version, maxVersion: version });
    for (const size of [0, 1, 16384, 131072, 3000000]) {
      const body = Buffer.alloc(size, 'x');
      assert.ok((await exchange(connection, body)).content.equals(body), `${size} bytes`);
    }
  });
}

test('a client believes only its own authority', skipped, async () => {
  await assert.rejects(connect({ ca: [] }));
});

test('a certificate logs its user in', skipped, async () => {
  await put(`users/${user}`, { password_hash: '', tags: '' });
  await put(`permissions/%2F/${user}`, { configure: '.*', write: '.*', read: '.*' });
  const credentials = amqplib.credentials.external();
  const connection = await connect({ ...ours(), credentials });
  const message = await exchange(connection, Buffer.from('x'), { userId: user });
  assert.equal(message.properties.userId, user);
  await assert.rejects(connect({ credentials }), /403|ACCESS_REFUSED|closed/i);
});
