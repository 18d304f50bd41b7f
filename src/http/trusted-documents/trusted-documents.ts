import { readFile } from 'node:fs/promises';
import { StartupError } from '../../errors.ts';
import { parseManifest, type TrustedDocument } from './manifest.ts';
import { fileSignature, watchFile } from './watch-file.ts';

/** The documents of the manifest as it is now. */
export interface TrustedDocuments {
  readonly size: number;
  /** By its id in the manifest or by its SHA-256. Null: there is none. */
  find(id: string): TrustedDocument | null;
  /** Whether a text is one of them, character by character. */
  has(body: string): boolean;
}

/** A file of trusted documents that is followed. */
export interface TrustedDocumentsFile extends TrustedDocuments {
  /** The file is not looked at any more. */
  close(): void;
}

export interface TrustedDocumentsOptions {
  readonly path: string;
  /** Whether the start fails without the file. */
  readonly isRequired: boolean;
  /** Milliseconds between looks at the file. Default 2,000; 0 never looks. */
  readonly pollMs?: number;
  /** The file has changed and is served; with how many documents it holds. Must not throw. */
  onReload(size: number): void;
  /** The file is broken or gone: what it said before is still served. Must not throw. */
  onProblem(error: Error): void;
}

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
  };
}

/**
 * Reads the manifest, and again whenever it has changed. Each look-up is of one version of the file, whole.
 * @throws StartupError naming the file, when it is broken, or required and not there
 */
export async function openTrustedDocuments(options: TrustedDocumentsOptions): Promise<TrustedDocumentsFile> {
  const { path, isRequired, pollMs, onReload, onProblem } = options;
  // Before it is read: a change in between is read again.
  const read = await fileSignature(path);
  let current = await readAtStart(path, isRequired);
  const watch = watchFile({
    path,
    read,
    ...(pollMs !== undefined && { pollMs }),
    onChange: async () => {
      current = indexDocuments(parseManifest(await readFile(path, 'utf8')));
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
    close: () => watch.close(),
  };
}

async function readAtStart(path: string, isRequired: boolean): Promise<TrustedDocuments> {
  try {
    return indexDocuments(parseManifest(await readFile(path, 'utf8')));
  } catch (error) {
    if (!isRequired && (error as NodeJS.ErrnoException).code === 'ENOENT') return noTrustedDocuments;
    throw new StartupError(`the trusted documents of ${path} cannot be read: ${(error as Error).message}`);
  }
}
