import { createPublicKey } from 'node:crypto';
import { exportSPKI, generateKeyPair, importJWK } from 'jose';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import type { Viewer } from '../context.ts';
import { newId } from '../db/id.ts';
import { type Claims, createTestIssuer, type SignOptions, type TestIssuer } from '../testing/test-issuer.ts';
import { createIssuerKeys } from './key-set.ts';
import { createTokenVerifier } from './token-verifier.ts';

const viewer: Viewer = { userId: newId(), organizationId: newId(), scopes: ['read', 'write'] };
const log = pino({ level: 'silent' });
const issuers: TestIssuer[] = [];

afterEach(async () => {
  for (const issuer of issuers.splice(0)) await issuer.close();
});

async function setUp(alg?: string, algorithms?: string[]) {
  const issuer = await createTestIssuer(alg);
  issuers.push(issuer);
  const settings = { ...issuer.settings, ...(algorithms && { algorithms }) };
  return { issuer, verify: createTokenVerifier(settings, createIssuerKeys(settings.jwksUrl, log)) };
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a good token', () => {
  test.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])('by %s gives the viewer it names', async (alg) => {
    const { issuer, verify } = await setUp(alg);
    const exp = inSeconds(60);
    expect(await verify(await issuer.sign(viewer, { exp }))).toEqual({ viewer, expiresAtMs: (exp + 5) * 1_000 });
  });

  test.each<[string, Claims, readonly string[]]>([
    ['a text', { scope: 'write read' }, ['read', 'write']],
    ['a list', { scope: ['admin'] }, ['admin']],
    ['unknown scopes', { scope: 'openid read superuser' }, ['read']],
    ['no scope', { scope: undefined }, []],
    ['a number', { scope: 7 }, []],
    ['names of Object', { scope: '__proto__ constructor' }, []],
  ])('with %s as its scope', async (_, claims, expected) => {
    const { issuer, verify } = await setUp();
    expect(await verify(await issuer.sign(viewer, claims))).toMatchObject({ viewer: { scopes: expected } });
  });

  test.each<[string, Claims, SignOptions]>([
    ['without a key id', {}, { kid: null }],
    ['for several audiences', { aud: ['https://other.example/', 'https://api.example/'] }, {}],
    ['whose user id is in capitals', { sub: viewer.userId.toUpperCase() }, {}],
    ['expired within the leeway', { exp: inSeconds(-2) }, {}],
    ['valid within the leeway', { nbf: inSeconds(3) }, {}],
  ])('%s', async (_, claims, options) => {
    const { issuer, verify } = await setUp();
    expect(await verify(await issuer.sign(viewer, claims, options))).toMatchObject({ viewer });
  });
});

describe('a bad token', () => {
  test.each<[string, Claims, string]>([
    ['expired', { exp: inSeconds(-7) }, 'expired'],
    ['not yet valid', { nbf: inSeconds(9) }, 'early'],
    ['without an end', { exp: undefined }, 'claims'],
    ['whose end is a text', { exp: '2099' }, 'claims'],
    ['of another issuer', { iss: 'https://issuer.example' }, 'issuer'],
    ['without an issuer', { iss: undefined }, 'issuer'],
    ['for another audience', { aud: 'https://other.example/' }, 'audience'],
    ['without an audience', { aud: undefined }, 'audience'],
    ['without a user', { sub: undefined }, 'claims'],
    ['whose user is no UUID', { sub: "x' or '1'='1" }, 'claims'],
    ['without an organization', { org: undefined }, 'claims'],
    ['whose organization is a list', { org: [viewer.organizationId, 'x'] }, 'claims'],
  ])('%s', async (_, claims, fault) => {
    const { issuer, verify } = await setUp();
    expect(await verify(await issuer.sign(viewer, claims))).toBe(fault);
  });

  test('without a signature, by alg none in any spelling', async () => {
    const { issuer, verify } = await setUp();
    const [header, payload, signature] = (await issuer.sign(viewer)).split('.');
    for (const alg of ['none', 'None', 'NONE', '']) {
      const unsigned = encode({ alg, kid: issuer.key.kid });
      expect(await verify(`${unsigned}.${payload}.`)).toBe(alg === '' ? 'malformed' : 'algorithm');
      expect(await verify(`${unsigned}.${payload}.${signature}`)).toBe(alg === '' ? 'malformed' : 'algorithm');
    }
    expect(await verify(`${header}.${payload}.`)).toBe('signature');
  });

  test('signed by HMAC with the public key as the secret, even where a setting would allow HMAC', async () => {
    for (const algorithms of [['RS256'], ['RS256', 'HS256']]) {
      const { issuer, verify } = await setUp('RS256', algorithms);
      const spki = await exportSPKI((await importJWK(issuer.key.publicJwk, 'RS256')) as never);
      const der = createPublicKey(spki).export({ type: 'spki', format: 'der' });
      for (const secret of [Buffer.from(spki), der, Buffer.from(JSON.stringify(issuer.key.publicJwk))]) {
        const forged = await issuer.sign(viewer, {}, { alg: 'HS256', key: secret });
        expect(await verify(forged)).toBe(algorithms.length === 1 ? 'algorithm' : 'malformed');
      }
    }
  });

  test('signed by a key or an algorithm that is not the issuer’s', async () => {
    const { issuer, verify } = await setUp('ES256', ['ES256', 'RS256']);
    const { privateKey } = await generateKeyPair('ES256');
    expect(await verify(await issuer.sign(viewer, {}, { key: privateKey }))).toBe('signature');
    expect(await verify(await issuer.sign(viewer, {}, { key: privateKey, kid: null }))).toBe('signature');
    expect(await verify(await issuer.sign(viewer, {}, { key: privateKey, kid: 'theirs' }))).toBe('key');
    const rsa = await generateKeyPair('RS256');
    expect(await verify(await issuer.sign(viewer, {}, { key: rsa.privateKey, alg: 'RS256' }))).toBe('key');
    const es384 = await generateKeyPair('ES384');
    expect(await verify(await issuer.sign(viewer, {}, { key: es384.privateKey, alg: 'ES384' }))).toBe('algorithm');
  });

  test('changed after it was signed, or no JWT at all', async () => {
    const { issuer, verify } = await setUp();
    const token = await issuer.sign(viewer);
    const [header, payload, signature] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
    expect(await verify(`${header}.${encode({ ...claims, scope: 'admin' })}.${signature}`)).toBe('signature');
    expect(await verify(`${header}.%%.${signature}`)).toBe('signature');
    const critical = encode({ alg: 'ES256', kid: issuer.key.kid, crit: ['x'], x: 1 });
    const odd = ['', '.', '..', 'a.b.c', 'null', `${token}.x`, `${header}.${payload}`, `${critical}.${payload}.x`];
    for (const text of [...odd, `${encode([])}.${payload}.${signature}`, 'é.é.é']) {
      expect(await verify(text), text).toBe('malformed');
    }
    expect(await verify(`${token}${'A'.repeat(8_193)}`)).toBe('length');
    expect(issuer.fetches).toBeLessThanOrEqual(1);
  });
});
