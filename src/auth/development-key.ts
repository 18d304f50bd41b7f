import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import type { TokenIssuer } from '../config.ts';
import type { Viewer } from '../context.ts';
import { giveToOwnerOfFolder } from '../db/embedded/owner.ts';
import { StartupError } from '../errors.ts';
import type { KeySet } from './key-set.ts';

/** What tokens of `npm run token` say of themselves; only a server in development asks for it. */
export const developmentIssuer = {
  issuer: 'tributary-development',
  audience: 'tributary',
  algorithms: ['EdDSA'],
} satisfies Omit<TokenIssuer, 'jwksUrl'>;

const fileName = 'development-key.json';

/** The public half of the key under `dataDir`, read for each token: the file may be deleted for a new one. */
export function createDevelopmentKeys(dataDir: string): KeySet {
  return {
    async find(header, token) {
      return createLocalJWKSet({ keys: [publicHalf(await readDevelopmentKey(dataDir))] })(header, token);
    },
    renew: async () => false,
  };
}

/** A token for the viewer, signed with the key under `dataDir`. */
export async function signDevelopmentToken(dataDir: string, viewer: Viewer, hours: number): Promise<string> {
  const jwk = await readDevelopmentKey(dataDir);
  const nowSeconds = Math.floor(Date.now() / 1_000);
  return new SignJWT({ org: viewer.organizationId, scope: viewer.scopes.join(' ') })
    .setProtectedHeader({ alg: 'EdDSA', kid: jwk.kid!, typ: 'JWT' })
    .setIssuer(developmentIssuer.issuer)
    .setAudience(developmentIssuer.audience)
    .setSubject(viewer.userId)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + hours * 3_600)
    .sign(await importJWK(jwk, 'EdDSA'));
}

/**
 * The key pair (Ed25519) of this data folder, made once.
 * @throws StartupError when the file is something else
 */
export async function readDevelopmentKey(dataDir: string): Promise<JWK> {
  const path = join(dataDir, fileName);
  const text = (await readIfThere(path)) ?? (await makeKey(dataDir, path));
  const jwk = parse(text);
  if (jwk?.crv !== 'Ed25519' || typeof jwk.d !== 'string' || typeof jwk.kid !== 'string') {
    throw new StartupError(`${path} is not a development key: delete it, and a new one is made`);
  }
  return jwk;
}

/** Written aside and linked into place: of two processes at once one wins whole, and both read what it wrote. */
async function makeKey(dataDir: string, path: string): Promise<string> {
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  const jwk = await exportJWK(privateKey);
  const text = JSON.stringify({ ...jwk, alg: 'EdDSA', use: 'sig', kid: await calculateJwkThumbprint(jwk) });
  await mkdir(dataDir, { recursive: true });
  const aside = `${path}.${randomUUID()}`;
  try {
    await writeFile(aside, `${text}\n`, { mode: 0o600, flag: 'wx' });
    giveToOwnerOfFolder(aside);
    await link(aside, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(aside, { force: true });
  }
  return readFile(path, 'utf8');
}

function publicHalf({ kty, crv, x, kid, alg, use }: JWK): JWK {
  return { kty, crv, x, kid, alg, use } as JWK;
}

function readIfThere(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

function parse(text: string): JWK | null {
  try {
    return JSON.parse(text) as JWK | null;
  } catch {
    return null;
  }
}
