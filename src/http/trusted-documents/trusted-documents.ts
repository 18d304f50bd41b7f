import { setTimeout as pause } from 'node:timers/promises';
import { StartupError } from '../../errors.ts';
import type { Redis } from '../../redis/client.ts';
import { parseManifest, type TrustedDocument } from './manifest.ts';
import { createManifestFile, type ManifestSource, missing } from './manifest-source.ts';
import { createPublishedManifest, publishedPath } from './published-manifest.ts';
import { watchManifest } from './watch-manifest.ts';

/** The documents of the manifest as it is now. */
export interface TrustedDocuments {
  readonly size: number;
  /** By its id in the manifest or by its SHA-256. Null: there is none. */
  find(id: string): TrustedDocument | null;
  /** Whether a text is one of them, character by character. */
  has(body: string): boolean;
  /** Those to run at the start of a server, with their variables. */
  readonly toWarm: readonly TrustedDocument[];
}

/** A manifest that is followed. */
export interface FollowedDocuments extends TrustedDocuments {
  /** The manifest is not looked at any more. */
  close(): void;
}

export interface TrustedDocumentsOptions {
  /** A file, or `redis:` for the manifest that is published there. */
  readonly path: string;
  /** Needed for `redis:`. Default: none. */
  readonly redis?: Redis | null;
  /** Whether the start fails without a manifest. */
  readonly isRequired: boolean;
  /** Milliseconds between two looks at it. Default: 2,000 for a file, 250 for Redis; 0 never looks. */
  readonly pollMs?: number;
  /** The manifest has changed and is served; with how many documents it holds. Must not throw. */
  onReload(size: number): void;
  /** The manifest is broken or gone: what it said before is still served. Must not throw. */
  onProblem(error: Error): void;
}

/** Between two tries of a start. */
const retryMs = 50;

/** For servers without a manifest. */
export const noTrustedDocuments: TrustedDocuments = indexDocuments([]);

/** Documents for look-up; of two with one id or one text, the later. */
export function indexDocuments(documents: readonly TrustedDocument[]): TrustedDocuments {
  // Maps, as ids come from clients: no name that objects inherit is found here.
  const byHash = new Map(documents.map((document) => [document.sha256, document]));
  const byId = new Map(documents.map((document) => [document.id, document]));
  const bodies = new Set(documents.map(({ body }) => body));
  return {
    size: byId.size,
    find: (id) => byId.get(id) ?? byHash.get(id) ?? null,
    has: (body) => bodies.has(body),
    toWarm: documents.filter(({ warmUp }) => warmUp !== undefined),
  };
}

/**
 * Reads the manifest, and again whenever it has changed. Each look-up is of one version of it, whole.
 * @throws StartupError naming the manifest, when it is broken, or required and not there
 */
export async function openTrustedDocuments(options: TrustedDocumentsOptions): Promise<FollowedDocuments> {
  const { path, isRequired, onReload, onProblem } = options;
  const source = openSource(options);
  const { signature, documents } = await readAtStart(source, isRequired);
  let current = documents;
  const watch = watchManifest({
    source,
    read: signature,
    onChange: (text) => {
      current = indexDocuments(parseManifest(text));
      onReload(current.size);
    },
    onProblem: (cause) => onProblem(new Error(`the trusted documents of ${path} cannot be read`, { cause })),
  });
  return {
    get size() {
      return current.size;
    },
    find: (id) => current.find(id),
    has: (body) => current.has(body),
    get toWarm() {
      return current.toWarm;
    },
    close: () => watch.close(),
  };
}

function openSource({ path, redis, pollMs }: TrustedDocumentsOptions): ManifestSource {
  if (path !== publishedPath) return createManifestFile(path, pollMs);
  if (redis) return createPublishedManifest(redis, pollMs);
  throw new StartupError(`TRUSTED_DOCUMENTS_PATH is "${path}": expected REDIS_URL beside it`);
}

interface StartState {
  signature: string | null;
  documents: TrustedDocuments;
}

async function readAtStart(source: ManifestSource, isRequired: boolean): Promise<StartState> {
  const fault = (message: string) => new StartupError(`the trusted documents of ${source.name} ${message}`);
  const untilMs = performance.now() + source.startWaitMs;
  for (;;) {
    // Before it is read: a change in between is read again.
    const signature = await source.signature();
    if (signature === missing) {
      if (isRequired) throw fault(`are not there: ${source.advice}`);
      return { signature, documents: noTrustedDocuments };
    }
    try {
      const text = signature === null ? null : await source.read();
      if (text !== null) return { signature, documents: indexDocuments(parseManifest(text)) };
    } catch (error) {
      throw fault(`cannot be read: ${(error as Error).message}`);
    }
    if (performance.now() >= untilMs) break;
    await pause(retryMs);
  }
  if (isRequired) throw fault('cannot be read: REDIS_URL: nobody answers there');
  return { signature: null, documents: noTrustedDocuments };
}
