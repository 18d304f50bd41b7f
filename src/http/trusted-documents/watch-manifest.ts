import { type ManifestSource, missing } from './manifest-source.ts';

export interface ManifestWatchOptions {
  readonly source: ManifestSource;
  /** Its signature before it was read first. */
  readonly read: string | null;
  /** The manifest is another one than it was. When it rejects, the manifest is taken for broken. */
  onChange(text: string): void;
  /** It is gone or cannot be read, or onChange threw; once for each state of it. Must not throw. */
  onProblem(error: Error): void;
}

export interface ManifestWatch {
  /** No callback starts any more. */
  close(): void;
}

/**
 * Calls back when the signature has changed and then stayed from one look to the next, so that no manifest is read that
 * is still being written. A source that cannot be reached leaves all as it is.
 */
export function watchManifest({ source, read, onChange, onProblem }: ManifestWatchOptions): ManifestWatch {
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let seen: string | null = null;
  let handled = read;

  const look = async () => {
    const signature = await source.signature();
    const isSettled = signature === seen;
    seen = signature;
    if (isClosed || !isSettled || signature === null || signature === handled) return;
    try {
      if (signature === missing) throw new Error('it is not there any more');
      const text = await source.read();
      if (text === null || isClosed) return;
      handled = signature;
      onChange(text);
    } catch (error) {
      handled = signature;
      if (!isClosed) onProblem(error as Error);
    }
  };
  // The next look starts when this one has ended.
  const lookLater = () => {
    if (isClosed || source.pollMs === 0) return;
    timer = setTimeout(() => void look().finally(lookLater), source.pollMs);
    timer.unref();
  };
  lookLater();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
