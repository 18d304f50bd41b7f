/** Where a manifest comes from: a file, or Redis. */
import { readFile } from 'node:fs/promises';
import { fileSignature } from '../../file-signature.ts';

export interface ManifestSource {
  /** What errors and logs call it. */
  readonly name: string;
  /** What to do when there is none, for the message that ends a start. */
  readonly advice: string;
  /** Milliseconds a start may wait for a source that cannot be reached yet. */
  readonly startWaitMs: number;
  /** Milliseconds between two looks. */
  readonly pollMs: number;
  /** Another text for each manifest; `missing`: there is none; null: that cannot be known now. */
  signature(): Promise<string | typeof missing | null>;
  /**
   * The text of the manifest; null: it cannot be read now, and may be later.
   * @throws Error that says what is wrong with it
   */
  read(): Promise<string | null>;
}

/** What stands for the signature of a manifest that is not there. */
export const missing = 'ENOENT';

/** A file. Notifications do not reach network mounts, so it is looked at: a change is served within twice `pollMs`. */
export function createManifestFile(path: string, pollMs = 2_000): ManifestSource {
  return {
    name: path,
    advice: 'run npm run persist -- GLOB',
    startWaitMs: 0,
    pollMs,
    signature: () => fileSignature(path),
    read: () => readFile(path, 'utf8'),
  };
}
