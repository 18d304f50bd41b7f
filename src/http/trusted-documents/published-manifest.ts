/** The manifest that the processes of one server share: in Redis, with its SHA-256, and when it was published. */
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { orNull, type Redis } from '../../redis/client.ts';
import { sha256Of } from './manifest.ts';
import { type ManifestSource, missing } from './manifest-source.ts';

/** TRUSTED_DOCUMENTS_PATH, where the manifest is the published one. */
export const publishedPath = 'redis:';
/** A hash: `sha256`, `manifest` (gzip, in base64: GraphQL shrinks to a tenth), `documents` (how many) and `publishedAt`. */
export const publishedKey = 'tributary:trusted-documents';
/** Of a manifest that is unpacked: Redis is no authority. */
const maxManifestBytes = 64 * 1024 * 1024;

/** A look costs Redis one HGET. A change is served within twice `pollMs`. */
export function createPublishedManifest(redis: Redis, pollMs = 250): ManifestSource {
  return {
    name: publishedKey,
    advice: 'run npm run persist -- GLOB --publish',
    startWaitMs: 3_000,
    pollMs,
    signature: () => orNull(publishedSha256(redis).then((sha256) => sha256 ?? missing)),
    read: () => orNull(readPublished(redis).then((published) => published?.text ?? null)),
  };
}

export interface PublishedManifest {
  readonly sha256: string;
  readonly text: string;
}

/**
 * Of what is published, whether it can be read or not; null: nothing is.
 * @throws RedisUnavailable
 */
export function publishedSha256(redis: Redis): Promise<string | null> {
  return redis.run((client) => client.hGet(publishedKey, 'sha256'));
}

/**
 * What is published; null: nothing is.
 * @throws RedisUnavailable, or Error when it is not what was published
 */
export async function readPublished(redis: Redis): Promise<PublishedManifest | null> {
  const [sha256, packed] = await redis.run((client) => client.hmGet(publishedKey, ['sha256', 'manifest']));
  if (!sha256 || !packed) return null;
  const options = { maxOutputLength: maxManifestBytes };
  const text = await promisify(gunzip)(Buffer.from(packed, 'base64'), options).then(String, (error: Error) => {
    throw new Error(`expected a manifest in gzip and base64: ${error.message}`);
  });
  if (sha256Of(text) !== sha256) throw new Error(`expected a manifest with the SHA-256 ${sha256}, got another`);
  return { sha256, text };
}

/** Takes the new one only where the old one is what the publisher has seen. KEYS: the key. ARGV: its SHA-256, fields. */
const replaceUnchanged = `
if (redis.call('HGET', KEYS[1], 'sha256') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'sha256', ARGV[2], 'manifest', ARGV[3], 'documents', ARGV[4], 'publishedAt', ARGV[5])
return 1`;

export interface Publication {
  readonly text: string;
  readonly documents: number;
  /** The SHA-256 of what it replaces; null: nothing was published. */
  readonly replaces: string | null;
}

/**
 * Publishes a manifest, whole at once. false: another one was published meanwhile, and stays.
 * @throws RedisUnavailable; it may be published all the same
 */
export async function publishManifest(redis: Redis, { text, documents, replaces }: Publication): Promise<boolean> {
  const packed = (await promisify(gzip)(text)).toString('base64');
  const fields = [sha256Of(text), packed, String(documents), new Date().toISOString()];
  const given = { keys: [publishedKey], arguments: [replaces ?? '', ...fields] };
  return (await redis.run((client) => client.eval(replaceUnchanged, given))) === 1;
}
