// mock-aquera from node's test runner, with nothing but what node brings.
//
//     MOCK_AQUERA=target/release/mock-aquera node --test mock-aquera/examples/node/
//
// The program starts once on a free port; each test begins with an application as it was at the start.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, beforeEach, test } from 'node:test';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
let server, ready;

// Sends JSON, and gives the status and what came back.
async function send(method, url, body, token) {
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers['content-type'] = 'application/scim+json';
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : undefined };
}

// The client under test, and administration of the application at /scim.
const scim = (method, path, body) => send(method, ready.scimUrl + path, body, 'a-token');
const mock = (method, path, body) => send(method, `${ready.adminUrl}/applications/default${path}`, body);

before(async () => {
  const options = ['--listen', '127.0.0.1:0', '--json', '--users', '0', '--auth', 'bearer:a-token'];
  server = spawn(process.env.MOCK_AQUERA ?? 'mock-aquera', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface(server.stdout), 'line');
  ready = JSON.parse(line);
});

after(async () => {
  server.kill('SIGTERM');
  await once(server, 'exit');
});

beforeEach(async () => {
  assert.equal((await mock('POST', '/reset')).status, 204);
});

test('a user is made, found and removed', async () => {
  const made = await scim('POST', '/Users', { schemas: [USER], userName: 'ida@example.com' });
  assert.equal(made.status, 201);
  const filter = encodeURIComponent('userName eq "IDA@example.com"');
  const found = await scim('GET', `/Users?filter=${filter}`);
  assert.equal(found.body.Resources[0].id, made.body.id);
  assert.equal((await scim('DELETE', `/Users/${made.body.id}`)).status, 204);
  assert.equal((await scim('GET', `/Users/${made.body.id}`)).status, 404);

  const verdict = await mock('POST', '/verify', { request: { method: 'DELETE', status: 204 }, times: { exactly: 1 } });
  assert.ok(verdict.body.satisfied, JSON.stringify(verdict.body));
});

test('a client that is told to wait tries again', async () => {
  const added = await mock('POST', '/faults', { rule: 'status=429 method=POST retry-after=0 times=2' });
  assert.equal(added.status, 201);
  const statuses = [];
  while (statuses.at(-1) !== 201) {
    statuses.push((await scim('POST', '/Users', { schemas: [USER], userName: 'ida@example.com' })).status);
  }
  assert.deepEqual(statuses, [429, 429, 201]);
  const journal = await mock('GET', '/journal');
  assert.deepEqual(journal.body.map((exchange) => exchange.status), statuses);
});

test('an application without partial updates refuses them', async () => {
  const name = 'crm';
  const config = { profile: 'no-partial-update' };
  const made = await send('PUT', `${ready.adminUrl}/applications/${name}`, config);
  assert.equal(made.status, 201);
  const user = await send('POST', `${made.body.scimUrl}/Users`, { schemas: [USER], userName: 'ida' }, 'a-token');
  const patch = {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations: [{ op: 'replace', path: 'active', value: false }],
  };
  const refused = await send('PATCH', `${made.body.scimUrl}/Users/${user.body.id}`, patch, 'a-token');
  assert.equal(refused.status, 501);
  assert.equal((await send('DELETE', `${ready.adminUrl}/applications/${name}`)).status, 204);
});
