// A real OpenID provider for the end-to-end tests: oidc-provider with the device grant, on loopback, over TLS.
//
//   node server.mjs --cert FILE --key FILE [--port N] [--people JSON]
//
// Prints one line of JSON when it answers: {"issuer": …}. A line `rotate` on standard input replaces the signing
// keys, and is answered by a line {"rotated": …}. `groups NAME ["…"]` puts somebody into these groups, known before or
// not; `close NAME` closes an account; `revoke NAME` takes back what was given for their last sign-in; `silent` hangs up on every question until `speak`. Each is answered by a line
// {"done": …}. It ends with its standard input.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { Provider } from 'oidc-provider';

const { values: options } = parseArgs({
  options: {
    cert: { type: 'string' },
    key: { type: 'string' },
    port: { type: 'string', default: '0' },
    people: { type: 'string', default: '{"alice":["oncall"],"bob":["leads"],"sam":["security"]}' },
  },
});
const people = JSON.parse(options.people);

function keys() {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return [{ ...ec, use: 'sig', alg: 'ES256', kid: randomUUID() }, { ...rsa, use: 'sig', alg: 'RS256', kid: randomUUID() }];
}

// Two public clients that differ in the algorithm of their ID tokens, and one with a secret, which may introspect.
const client = (client_id, id_token_signed_response_alg) => ({
  client_id,
  id_token_signed_response_alg,
  client_name: 'Sallyport',
  token_endpoint_auth_method: 'none',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'authorization_code', 'refresh_token'],
  // The console's, on whatever port of this machine (RFC 8252, 7.3).
  application_type: 'native',
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback'],
});

const confidential = {
  ...client('sallyport-confidential', 'ES256'),
  client_secret: 'for tests only',
  token_endpoint_auth_method: 'client_secret_basic',
};

// By account: the grant of the last sign-in, and how to take it back.
const given = {};

function provider(issuer, jwks) {
  const made = new Provider(issuer, {
    clients: [client('sallyport', 'ES256'), client('sallyport-rsa', 'RS256'), confidential],
    jwks: { keys: jwks },
    cookies: { keys: ['for tests only'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username', 'name'], groups: ['groups'] },
    scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
    conformIdTokenClaims: false, // the claims are wanted in the ID token, as common providers have them
    features: {
      introspection: { enabled: true },
      deviceFlow: { enabled: true, charset: 'base-20' },
      devInteractions: { enabled: true },
    },
    ttl: {
      DeviceCode: 600,
      IdToken: 600,
      // Over soon, so that whoever goes on asking has to renew it.
      AccessToken: (_context, _token, { clientId }) => (clientId === 'sallyport-confidential' ? 300 : 35),
      RefreshToken: 7200,
      Interaction: 600,
      Session: 600,
      Grant: 7200,
    },
    findAccount: (_context, id) => Object.hasOwn(people, id) && {
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.com`,
        email_verified: true,
        preferred_username: id,
        name: id,
        groups: people[id],
      }),
    },
  });
  made.on('grant.success', ({ oidc }) => {
    const { accountId, grantId } = oidc.entities.AccessToken;
    given[accountId] = async () => {
      await made.AccessToken.revokeByGrantId(grantId);
      await made.RefreshToken.revokeByGrantId(grantId);
    };
  });
  return made;
}

let silent = false;
let current = (_request, response) => response.writeHead(503).end();
const server = createServer({ cert: readFileSync(options.cert), key: readFileSync(options.key) }, (request, response) =>
  silent ? request.socket.destroy() : current(request, response));
server.listen(Number(options.port), '127.0.0.1', () => {
  const issuer = `https://localhost:${server.address().port}`;
  current = provider(issuer, keys()).callback();
  console.log(JSON.stringify({ issuer }));
  createInterface({ input: process.stdin })
    .on('line', async (line) => {
      if (line.trim() === 'rotate') {
        const fresh = keys();
        current = provider(issuer, fresh).callback();
        console.log(JSON.stringify({ rotated: fresh.map((key) => key.kid) }));
        return;
      }
      const [word, name, groups] = line.trim().split(' ');
      if (word === 'groups') people[name] = JSON.parse(groups);
      else if (word === 'close') delete people[name];
      else if (word === 'revoke') await given[name]?.();
      else if (word === 'silent' || word === 'speak') silent = word === 'silent';
      else return;
      console.log(JSON.stringify({ done: line.trim() }));
    })
    .on('close', () => process.exit(0));
});
