/** What load benches start servers in: settings as in production, people with tokens, and a core for the server alone. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestIssuer } from '../../src/testing/test-issuer.ts';
import { mixManifest } from '../cached-mix/mix.ts';
import { createTenants, type Tenant } from '../cached-mix/tenants.ts';
import { createWorld } from '../faults/world.ts';
import { loadCore, pin } from '../process-cpu.ts';
import { uncachedManifest } from './uncached-mix.ts';

export interface Production {
  /** Of every server: as in production but for quotas, as all of the load comes from one address. */
  readonly environment: Readonly<Record<string, string>>;
  readonly tenants: readonly Tenant[];
  close(): Promise<void>;
}

/** A Postgres with eight organizations, a Redis and an issuer of tokens, on the last core with this process. */
export async function createProduction(): Promise<Production> {
  pin(process.pid, loadCore);
  const world = await createWorld();
  const issuer = await createTestIssuer('EdDSA');
  const path = join(world.environment.DATA_DIR!, 'trusted-documents.json');
  mkdirSync(world.environment.DATA_DIR!, { recursive: true });
  writeFileSync(path, JSON.stringify({ ...mixManifest(), ...uncachedManifest() }));
  const { jwksUrl, issuer: name, audience, algorithms } = issuer.settings;
  return {
    environment: {
      ...world.environment,
      NODE_ENV: 'production',
      DRAIN_DELAY_MS: '0',
      AUTH_JWKS_URL: jwksUrl,
      AUTH_ISSUER: name,
      AUTH_AUDIENCE: audience,
      AUTH_ALGORITHMS: algorithms.join(','),
      TRUSTED_DOCUMENTS: 'only',
      TRUSTED_DOCUMENTS_PATH: path,
      RESPONSE_CACHE_BYTES: String(256 * 2 ** 20),
    },
    tenants: await createTenants(world.postgres.url, issuer),
    async close() {
      await Promise.all([world.close(), issuer.close()]);
    },
  };
}
