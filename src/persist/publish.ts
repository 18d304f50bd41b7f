/** Brings a manifest to the servers that follow the one in Redis. */
import { setTimeout as pause } from 'node:timers/promises';
import type { GraphQLSchema } from 'graphql';
import { Registry } from 'prom-client';
import { StartupError } from '../errors.ts';
import { apolloFormat, type ManifestEntry, readManifest, sha256Of } from '../http/trusted-documents/manifest.ts';
import { publishedSha256, publishManifest, readPublished } from '../http/trusted-documents/published-manifest.ts';
import { createRedis, type Redis, RedisUnavailable } from '../redis/client.ts';
import { createLog } from '../telemetry/log.ts';
import { findEntryProblems } from './check-manifest.ts';

/** Publishers that meet, and answers of Redis that did not come in time. */
const maxTries = 10;
const retryMs = 200;
const connectMs = 5_000;

export interface PublishOptions {
  /** Whether documents that are published already, and not in the manifest, are removed. */
  readonly isReplacing: boolean;
}

export interface Published {
  /** In the manifest as it is now, and how many of them are new in it. */
  readonly documents: number;
  readonly added: number;
  /** What the schema has against the documents that stayed: clients that use them get errors. */
  readonly problems: string[];
}

/**
 * Adds the documents of a manifest to those that are published: older versions of an app in the field go on to use
 * theirs. Whole at once, and never over what another publisher wrote meanwhile.
 * @throws StartupError when an id stands for another document already, or Redis does not answer
 */
export async function publish(
  redis: Redis,
  schema: GraphQLSchema,
  manifest: string,
  { isReplacing }: PublishOptions,
): Promise<Published> {
  const given = readManifest(manifest);
  const ids = new Set(given.map(({ id }) => id));
  for (let tries = 0; tries < maxTries; tries++) {
    if (tries > 0) await pause(retryMs);
    try {
      const { old, replaces } = isReplacing
        ? { old: [], replaces: await publishedSha256(redis) }
        : await readToExtend(redis);
      const documents = merge(old, given);
      const publication = { text: print(documents), documents: documents.length, replaces };
      if (sha256Of(publication.text) !== replaces && !(await publishManifest(redis, publication))) continue;
      const stayed = old.filter(({ id }) => !ids.has(id));
      return {
        documents: documents.length,
        added: documents.length - old.length,
        problems: stayed.flatMap((entry) => findEntryProblems(schema, entry)),
      };
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error;
    }
  }
  throw new StartupError('REDIS_URL: Redis did not take the manifest');
}

/** @throws StartupError when it is not what was published */
async function readToExtend(redis: Redis): Promise<{ old: ManifestEntry[]; replaces: string | null }> {
  try {
    const before = await readPublished(redis);
    return { old: before ? readManifest(before.text) : [], replaces: before?.sha256 ?? null };
  } catch (error) {
    if (error instanceof RedisUnavailable) throw error;
    throw new StartupError(`what is published cannot be added to, only replaced: ${(error as Error).message}`);
  }
}

/**
 * Runs a piece of work with the Redis of the servers.
 * @param url of the settings; undefined: there is none
 * @throws StartupError when there is none, or it does not answer
 */
export async function withRedis<T>(url: string | undefined, work: (redis: Redis) => Promise<T>): Promise<T> {
  if (url === undefined) throw new StartupError('REDIS_URL is not set: expected the Redis of the servers');
  const redis = createRedis({ url, log: await createLog('silent'), registry: new Registry() });
  try {
    const untilMs = performance.now() + connectMs;
    while (!redis.isUp) {
      if (performance.now() > untilMs) throw new StartupError('REDIS_URL: nobody answers there');
      await pause(retryMs / 4);
    }
    return await work(redis);
  } finally {
    redis.close();
  }
}

/** In the order in which they came first, so that the same again is the same text. */
function merge(old: readonly ManifestEntry[], added: readonly ManifestEntry[]): ManifestEntry[] {
  const documents = new Map(old.map((entry) => [entry.id, entry]));
  for (const entry of added) {
    if ((documents.get(entry.id) ?? entry).body !== entry.body) {
      throw new StartupError(
        `the id ${JSON.stringify(entry.id)} stands for another document that is published: expected another id, or --replace`,
      );
    }
    documents.set(entry.id, entry);
  }
  return [...documents.values()];
}

function print(documents: readonly ManifestEntry[]): string {
  return JSON.stringify({ format: apolloFormat, version: 1, operations: documents.map(({ operation }) => operation) });
}
