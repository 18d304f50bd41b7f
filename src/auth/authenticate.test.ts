import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type AuthConfig, readConfig } from '../config.ts';
import type { Dependencies, Viewer } from '../context.ts';
import { newId } from '../db/id.ts';
import { migrate } from '../db/migrate.ts';
import { createPool } from '../db/pool.ts';
import { createOrganization } from '../testing/seed-builders.ts';
import { createTestApp, type TestApp } from '../testing/test-app.ts';
import { createTestIssuer, type TestIssuer } from '../testing/test-issuer.ts';
import { startTestPostgres } from '../testing/test-postgres.ts';
import { createAuthenticator } from './authenticate.ts';
import { signDevelopmentToken } from './development-key.ts';

const log = pino({ level: 'silent' });
const minuteMs = 60_000;

let app: TestApp;
let issuer: TestIssuer;
let dataDir: string;
let registry: Registry;
let authenticate: Dependencies['authenticate'];

/** Each test has an authenticator that has seen nothing yet. */
function create(auth: AuthConfig, database = app.database.pool): Dependencies['authenticate'] {
  registry = new Registry();
  return createAuthenticator({ auth, database, dataDir, log, registry });
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'tributary-auth-'));
  issuer = await createTestIssuer();
  app = await createTestApp({
    wrapDependencies: (dependencies) => ({ ...dependencies, authenticate: (request) => authenticate(request) }),
  });
});

beforeEach(() => {
  authenticate = create({ mode: 'tokens', ...issuer.settings });
  app.database.takeStatements();
});

afterEach(() => {
  vi.useRealTimers();
});

afterAll(async () => {
  await app.close();
  await issuer.close();
  await rm(dataDir, { recursive: true, force: true });
});

const request = (authorization?: string) =>
  new Request('http://test/graphql', authorization === undefined ? {} : { headers: { authorization } });
const ask = async (authorization?: string) => authenticate(request(authorization));
const refusal = (message: RegExp) =>
  expect.objectContaining({
    message: expect.stringMatching(message),
    extensions: {
      code: 'UNAUTHENTICATED',
      http: { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } },
    },
  });
const outage = expect.objectContaining({ extensions: { code: 'OVERLOADED', retryAfterSeconds: 1 } });
const setActive = ({ userId }: Viewer, isActive: boolean) =>
  app.database.pool.run({ name: 'testSetActive', text: 'update users set is_active = $1 where id = $2' }, [
    isActive,
    userId,
  ]);
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe('with an issuer', () => {
  test('no header is nobody, a token is its user, at once the second time', async () => {
    expect(await ask()).toBeNull();
    const token = await issuer.sign({ ...app.viewer, scopes: ['read'] });
    const first = authenticate(request(`Bearer ${token}`));
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toEqual({ ...app.viewer, scopes: ['read'] });
    expect(authenticate(request(`bearer  ${token}`))).toBe(await first);
    expect(await registry.metrics()).toContain('tributary_tokens_total{result="cached"} 1');
    expect(await registry.metrics()).toContain('tributary_tokens_total{result="checked"} 1');
  });

  test('500 concurrent requests with one new token cost one fetch, one check and one statement', async () => {
    const fetches = issuer.fetches;
    const token = await issuer.sign(app.viewer);
    const viewers = await Promise.all(Array.from({ length: 500 }, () => ask(`Bearer ${token}`)));
    expect(new Set(viewers).size).toBe(1);
    expect(app.database.takeStatements().map(({ name }) => name)).toEqual(['findActiveUser']);
    expect(issuer.fetches).toBe(fetches + 1);
  });

  test.each([
    ['Basic dXNlcjpwYXNz', /not of the form/],
    ['Bearer', /not of the form/],
    ['Bearer ', /not of the form/],
    ['Bearer a b', /not of the form/],
    ['Bearer a, Bearer b', /not of the form/],
    ['Bearertoken', /not of the form/],
    ['', /not of the form/],
    ['Bearer __proto__', /malformed/],
    [`Bearer ${'A'.repeat(1_048_576)}`, /too long: expected at most 8192/],
    ['A'.repeat(1_048_576), /too long/],
    [`Bearer ${' '.repeat(8_000)}`, /not of the form/],
  ])('refuses the header %.20s', async (header, message) => {
    const startedAt = performance.now();
    await expect(ask(header)).rejects.toEqual(refusal(message));
    expect(performance.now() - startedAt).toBeLessThan(100);
    expect(app.database.takeStatements()).toEqual([]);
  });

  test('a user is found in the organization of the token only', async () => {
    const other = await createOrganization(app.database.pool, 'Other');
    const { organizationId } = other;
    for (const stolen of [
      { ...app.viewer, organizationId },
      { ...app.viewer, organizationId: newId() },
    ]) {
      const token = await issuer.sign(stolen);
      await expect(ask(`Bearer ${token}`)).rejects.toEqual(refusal(/unknown in its organization/));
    }
  });

  test('a user who is deactivated loses access within a minute and a half, and gets it back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const viewer = await createOrganization(app.database.pool);
    const busy = `Bearer ${await issuer.sign(viewer)}`;
    const idle = `Bearer ${await issuer.sign({ ...viewer, scopes: [] })}`;
    expect([await ask(busy), await ask(idle)]).toMatchObject([viewer, { scopes: [] }]);
    await setActive(viewer, false);
    pass(minuteMs);
    expect(await ask(busy)).toEqual(viewer);
    await vi.waitFor(() => expect(ask(busy)).rejects.toEqual(refusal(/not active/)));
    pass(minuteMs);
    await expect(ask(idle)).rejects.toEqual(refusal(/not active/));
    await expect(ask(`Bearer ${await issuer.sign(viewer, { jti: '2' })}`)).rejects.toEqual(refusal(/not active/));
    await setActive(viewer, true);
    pass(2_000);
    expect(await ask(busy)).toEqual(viewer);
  });

  test('a token by a key that the issuer withdraws loses access, too', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const token = `Bearer ${await issuer.sign(app.viewer, { exp: Math.floor(Date.now() / 1_000) + 86_400 })}`;
    await ask(token);
    await issuer.rotate();
    pass(10 * minuteMs + 1);
    await ask(token);
    await vi.waitFor(async () => {
      pass(minuteMs);
      await expect(ask(token)).rejects.toEqual(refusal(/does not publish/));
    });
  });

  test('an issuer that is down is no fault of the token', async () => {
    await issuer.become('down');
    try {
      await expect(ask(`Bearer ${await issuer.sign(app.viewer)}`)).rejects.toEqual(outage);
    } finally {
      await issuer.become('up');
    }
  });
});

test('without the database a known token stands for 10 minutes, and all come back with it', async () => {
  const postgres = await startTestPostgres();
  await migrate(postgres.url);
  const pool = createPool({ connection: postgres.url, size: 2 });
  try {
    const viewer = await createOrganization(pool);
    authenticate = create({ mode: 'tokens', ...issuer.settings }, pool);
    const exp = Math.floor(Date.now() / 1_000) + 86_400;
    const sign = async (name: string) => `Bearer ${await issuer.sign(viewer, { exp, name })}`;
    const [known, fresh] = [await sign('known'), await sign('fresh')];
    await ask(known);
    await postgres.kill();
    await expect(ask(fresh)).rejects.toEqual(outage);
    vi.useFakeTimers({ toFake: ['Date'] });
    pass(9 * minuteMs);
    expect(await ask(known)).toEqual(viewer);
    pass(minuteMs);
    await expect(ask(known)).rejects.toEqual(outage);
    await postgres.start();
    await vi.waitFor(
      async () => {
        pass(1_000);
        expect([await ask(known), await ask(fresh)]).toEqual([viewer, viewer]);
      },
      { timeout: 10_000, interval: 50 },
    );
  } finally {
    await pool.close();
    await postgres.remove();
  }
}, 60_000);

describe('over HTTP', () => {
  const send = async (authorization?: string) => {
    const headers = { 'content-type': 'application/json', ...(authorization !== undefined && { authorization }) };
    const body = JSON.stringify({ query: '{ viewer { id } }' });
    const response = await app.fetch('/graphql', { method: 'POST', headers, body });
    return { response, answer: (await response.json()) as { data?: unknown; errors?: unknown[] } };
  };

  test('a good token gets data, a bad one 401 and what is wrong with it, nothing internal', async () => {
    const good = await send(`Bearer ${await issuer.sign(app.viewer)}`);
    expect(good.response.status).toBe(200);
    expect(good.answer.errors).toBeUndefined();
    const exp = Math.floor(Date.now() / 1_000) - 60;
    const { response, answer } = await send(`Bearer ${await issuer.sign(app.viewer, { exp })}`);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(answer.errors).toEqual([
      {
        message: 'The token has expired: get a new one',
        extensions: expect.objectContaining({ code: 'UNAUTHENTICATED' }),
      },
    ]);
    expect(JSON.stringify(answer)).not.toMatch(/www-authenticate|jose|stack|ERR_/i);
  });
});

describe('without an issuer', () => {
  test('a server in development takes its own tokens and no others', async () => {
    authenticate = create({ mode: 'development' });
    const viewer: Viewer = { ...app.viewer, scopes: ['read'] };
    expect(await ask(`Bearer ${await signDevelopmentToken(dataDir, viewer, 1)}`)).toEqual(viewer);
    await expect(ask(`Bearer ${await issuer.sign(viewer)}`)).rejects.toEqual(refusal(/algorithm/));
    await expect(ask('Basic dXNlcjpwYXNz')).rejects.toEqual(refusal(/not of the form/));
    const stranger = { ...viewer, userId: newId() };
    await expect(ask(`Bearer ${await signDevelopmentToken(dataDir, stranger, 1)}`)).rejects.toEqual(refusal(/unknown/));
    expect(await ask()).toBeNull();
  });

  test('no server with an issuer takes a development token, and none in production is without one', async () => {
    const algorithms = ['ES256', 'EdDSA'];
    const token = await signDevelopmentToken(dataDir, app.viewer, 1);
    authenticate = create({ mode: 'tokens', ...issuer.settings, algorithms });
    await expect(ask(`Bearer ${token}`)).rejects.toEqual(refusal(/does not publish/));
    expect(() => readConfig({ NODE_ENV: 'production' })).toThrow('AUTH_JWKS_URL');
    const issued = { AUTH_JWKS_URL: issuer.settings.jwksUrl, AUTH_ISSUER: 'x', AUTH_AUDIENCE: 'y' };
    expect(readConfig({ NODE_ENV: 'production', ...issued }).auth.mode).toBe('tokens');
    expect(readConfig({ NODE_ENV: 'production', AUTH: 'off' }).auth.mode).toBe('off');
  });

  test('a server with access off does not look at the header', async () => {
    authenticate = create({ mode: 'off' });
    expect(await ask('Bearer nonsense')).toBeNull();
  });
});
