import { stat } from 'node:fs/promises';

export interface FileWatchOptions {
  readonly path: string;
  /** What fileSignature said before the file was read first. */
  readonly read: string;
  /** Milliseconds between looks. Default 2,000; 0 never looks. */
  readonly pollMs?: number;
  /** The file is another one than it was. When it rejects, the file is taken for broken. */
  onChange(): Promise<void>;
  /** The file is gone or cannot be looked at, or onChange rejected; once for each state of it. Must not throw. */
  onProblem(error: Error): void;
}

export interface FileWatch {
  /** No callback starts any more. */
  close(): void;
}

const defaultPollMs = 2_000;
/** What the signature of a file is that is not there. */
const missing = 'ENOENT';

/**
 * Calls back when size, time or inode of a file have changed and then stayed from one look to the next, so that no file
 * is read that is still being written. Only looks: notifications do not reach network mounts.
 */
export function watchFile({ path, read, pollMs = defaultPollMs, onChange, onProblem }: FileWatchOptions): FileWatch {
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  let seen: string | null = null;
  let handled = read;

  const look = async () => {
    const signature = await fileSignature(path);
    const isSettled = signature === seen;
    seen = signature;
    if (isClosed || !isSettled || signature === handled) return;
    handled = signature;
    try {
      if (signature === missing) throw new Error('the file is not there any more');
      await onChange();
    } catch (error) {
      if (!isClosed) onProblem(error as Error);
    }
  };
  // The next look starts when this one has ended.
  const lookLater = () => {
    if (isClosed || pollMs === 0) return;
    timer = setTimeout(() => void look().finally(lookLater), pollMs);
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

/** Another text for each state of a file, also for one that is not there. */
export async function fileSignature(path: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(path);
    return `${size} ${mtimeMs} ${ino}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? missing;
  }
}
