import { sha256Of } from '../../src/http/trusted-documents/manifest.ts';
import { findFreePort } from '../../src/testing/free-port.ts';
import { createTestIssuer } from '../../src/testing/test-issuer.ts';
import { type ServerProcess, startServer } from '../faults/server-process.ts';
import { pin, serverCore } from '../process-cpu.ts';
import type { BenchDatabase } from './bench-database.ts';
import type { Target } from './closed-loop.ts';
import { isSameAnswer } from './same-answer.ts';
import type { Operation, ServerKind } from './scenario.ts';

const tokenSeconds = 86_400;

/** Our server as in production, and a viewer of it. */
export interface OwnServer extends ServerProcess {
  /** Of the viewer: a token for reads and writes. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The data of an operation.
   * @throws when the answer has errors
   */
  ask(query: string, variables: unknown): Promise<Record<string, unknown>>;
}

export interface OwnServerOptions {
  /** Beside what is as in production. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The folder where the server leaves a CPU profile at its end, which takes some of it. */
  readonly profile?: string | undefined;
  /** The folder of the project; of this one by default. */
  readonly root?: string | undefined;
}

/**
 * Starts our server, a process on a core of its own, with everything on: tokens, limits, quotas (too high to be
 * reached), metrics. Answers are not cached unless the environment says so.
 */
export async function startOwnServer(
  database: BenchDatabase,
  { environment = {}, profile, root }: OwnServerOptions = {},
): Promise<OwnServer> {
  const issuer = await createTestIssuer('EdDSA');
  try {
    const { jwksUrl, issuer: iss, audience, algorithms } = issuer.settings;
    const settings = {
      DATABASE_URL: database.url,
      DATA_DIR: database.dataDir,
      NODE_ENV: 'production',
      DRAIN_DELAY_MS: '0',
      AUTH_JWKS_URL: jwksUrl,
      AUTH_ISSUER: iss,
      AUTH_AUDIENCE: audience,
      AUTH_ALGORITHMS: algorithms.join(','),
      // All of the load is one viewer at one address.
      RATE_LIMIT_VIEWER: '999999999999/60',
      RATE_LIMIT_ADDRESS: '999999999999/60',
      // Another program on this core would make the server refuse requests.
      MAX_EVENT_LOOP_DELAY_MS: '60000',
      ...(profile && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` }),
      ...environment,
    };
    const server = await startServer(await findFreePort(), settings, root);
    pin(server.pid, serverCore);
    const { userId, organizationId } = database;
    const exp = Math.floor(Date.now() / 1_000) + tokenSeconds;
    const token = await issuer.sign({ userId, organizationId, scopes: ['read', 'write'] }, { exp });
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    return {
      ...server,
      headers,
      ask: (query, variables) => ask(`${server.origin}/graphql`, headers, { query, variables }),
      async stop() {
        const end = await server.stop();
        await issuer.close();
        return end;
      },
    };
  } catch (error) {
    await issuer.close();
    throw error;
  }
}

async function ask(url: string, headers: Readonly<Record<string, string>>, body: object) {
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: unknown };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/**
 * The request of an operation, and the answer that is expected each time: that to the first.
 * @throws when that has errors
 */
export async function targetOf(
  { pid, origin, headers }: OwnServer,
  kind: ServerKind,
  { query, variables }: Operation,
): Promise<{ target: Target; answer: string }> {
  const request =
    kind === 'cold'
      ? { url: `${origin}/graphql`, method: 'POST' as const, body: JSON.stringify({ query, variables }) }
      : { url: trustedUrl(origin, query, variables), method: 'GET' as const };
  const response = await fetch(request.url, { ...request, headers });
  const answer = await response.text();
  if (!response.ok || 'errors' in (JSON.parse(answer) as object)) throw new Error(`${query} answers ${answer}`);
  return { target: { pid, ...request, headers, isExpected: (got) => isSameAnswer(got, answer) }, answer };
}

function trustedUrl(origin: string, query: string, variables: Operation['variables']): string {
  const url = `${origin}/graphql/${sha256Of(query)}`;
  return Object.keys(variables).length === 0
    ? url
    : `${url}?variables=${encodeURIComponent(JSON.stringify(variables))}`;
}
