import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { TokenIssuer } from '../config.ts';
import type { Viewer } from '../context.ts';

/** May be of any type, to be refused; undefined: left out. */
export type Claims = Readonly<Record<string, unknown>>;

/** `down`: nobody listens; `hanging`: no answer; `failing`: HTTP 500; `empty`: a JWKS without keys. */
export type IssuerState = 'up' | 'down' | 'hanging' | 'failing' | 'empty';

interface IssuerKey {
  kid: string;
  privateKey: CryptoKey;
  publicJwk: JWK;
}

export interface SignOptions {
  /** Default: the issuer's. */
  alg?: string;
  /** null: none. Default: the key's. */
  kid?: string | null;
  /** Default: the issuer's key. */
  key?: CryptoKey | Uint8Array;
}

/** An issuer of tokens with a real JWKS endpoint on loopback. */
export interface TestIssuer {
  readonly settings: TokenIssuer;
  /** How often the JWKS was asked for. */
  readonly fetches: number;
  /** The key that signs now. */
  readonly key: IssuerKey;
  /** Signs with a new key from now on; the old one is published no more, unless it is kept. */
  rotate(keep?: 'keep'): Promise<void>;
  become(state: IssuerState): Promise<void>;
  /** A good token of the viewer for 10 minutes but for the claims given; undefined takes a claim out. */
  sign(viewer: Viewer, claims?: Claims, options?: SignOptions): Promise<string>;
  close(): Promise<void>;
}

/** Keys without ids are published without `kid`. */
export async function createTestIssuer(alg = 'ES256', hasKeyIds = true): Promise<TestIssuer> {
  let made = 0;
  const createKey = async (): Promise<IssuerKey> => {
    made += 1;
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const kid = `key-${made}`;
    const publicJwk = { ...(await exportJWK(publicKey)), alg, use: 'sig', ...(hasKeyIds && { kid }) };
    return { kid, privateKey, publicJwk };
  };
  let published = [await createKey()];
  let state: IssuerState = 'up';
  let fetches = 0;
  const server = createServer((_request, response) => {
    fetches += 1;
    answer(response, state, published);
  });
  const port = await open(server, 0);
  const settings: TokenIssuer = {
    jwksUrl: `http://127.0.0.1:${port}/jwks.json`,
    issuer: 'https://issuer.example/',
    audience: 'https://api.example/',
    algorithms: [alg],
  };
  return {
    settings,
    get fetches() {
      return fetches;
    },
    get key() {
      return published[0]!;
    },
    async rotate(keep) {
      published = [await createKey(), ...(keep ? published : [])];
    },
    async become(next) {
      if (state === 'down' && next !== 'down') await open(server, port);
      if (state !== 'down' && next === 'down') await shut(server);
      state = next;
    },
    sign(viewer, claims = {}, options = {}) {
      const key = published[0]!;
      const kid = options.kid === undefined ? (hasKeyIds ? key.kid : null) : options.kid;
      return new SignJWT({ ...defaultClaims(settings, viewer), ...claims })
        .setProtectedHeader({ alg: options.alg ?? alg, ...(kid !== null && { kid }) })
        .sign(options.key ?? key.privateKey);
    },
    close: async () => {
      if (state !== 'down') await shut(server);
    },
  };
}

function defaultClaims({ issuer, audience }: TokenIssuer, viewer: Viewer): Claims {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  return {
    iss: issuer,
    aud: audience,
    sub: viewer.userId,
    org: viewer.organizationId,
    scope: viewer.scopes.join(' '),
    iat: nowSeconds,
    exp: nowSeconds + 600,
  };
}

function answer(response: ServerResponse, state: IssuerState, published: readonly IssuerKey[]): void {
  if (state === 'hanging') return;
  response.statusCode = state === 'failing' ? 500 : 200;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ keys: state === 'empty' ? [] : published.map(({ publicJwk }) => publicJwk) }));
}

async function open(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function shut(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
