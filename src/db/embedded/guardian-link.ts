// Our side of the guardian: start it, give it its order, hear of its end.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { lastLines } from './cluster.ts';
import type { Command } from './database-user.ts';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { identifyProcess, type ProcessIdentity } from './process-identity.ts';
import { stopPostgres } from './stop-postgres.ts';

export interface GuardianOrder {
  readonly command: Command;
  readonly cluster: string;
  readonly logFile: string;
  /** Folders to remove after Postgres has ended. */
  readonly removeAfter: readonly string[];
}

export type GuardianReport = { readonly ready: ProcessIdentity } | { readonly failed: string; readonly output: string };

export interface Guardian {
  readonly identity: ProcessIdentity;
  /** Starts Postgres; resolves when it takes connections, throws with the end of its log when it does not. */
  start(order: GuardianOrder): Promise<void>;
  /** Stops Postgres and waits for its end. */
  stop(): Promise<void>;
  /** Called once when the server ends without `stop`. */
  onLoss(listener: (reason: string) => void): void;
}

/** A guardian without an order yet: its identity can be written down before there is a server to lose. */
export function spawnGuardian(): Guardian {
  const script = fileURLToPath(new URL('./guardian.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const identity = child.pid === undefined ? null : identifyProcess(child.pid);
  if (identity === null)
    throw new EmbeddedPostgresError(`Cannot start ${process.execPath} as the guardian of Postgres.`);
  return new LinkedGuardian(child, identity);
}

class LinkedGuardian implements Guardian {
  readonly identity: ProcessIdentity;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #lossListeners: ((reason: string) => void)[] = [];
  #report: GuardianReport | null = null;
  #server: ProcessIdentity | null = null;
  #isStopping = false;

  constructor(child: ChildProcess, identity: ProcessIdentity) {
    this.#child = child;
    this.identity = identity;
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()));
    child.stdin?.on('error', () => {});
    void this.#ended.then(() => this.#afterEnd());
  }

  async start(order: GuardianOrder): Promise<void> {
    const report = new Promise<GuardianReport | null>((resolve) => {
      createInterface({ input: this.#child.stdout! }).on('line', (line) => {
        const message: GuardianReport = JSON.parse(line);
        this.#report = message;
        if ('ready' in message) this.#server = message.ready;
        resolve(message);
      });
      void this.#ended.then(() => resolve(null));
    });
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const message = await report;
    if (message !== null && 'ready' in message) return this.#letProcessEnd();
    this.#isStopping = true;
    throw new EmbeddedPostgresError(
      `The embedded Postgres did not start: ${describe(message)} (log: ${order.logFile})`,
    );
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#child.ref();
    this.#child.stdin?.end();
    await this.#ended;
    if (this.#server !== null) await stopPostgres(this.#server);
  }

  onLoss(listener: (reason: string) => void): void {
    this.#lossListeners.push(listener);
  }

  // The database alone must not keep a script alive that has nothing left to do.
  #letProcessEnd(): void {
    this.#child.unref();
    for (const stream of [this.#child.stdin, this.#child.stdout]) {
      if (stream !== null && 'unref' in stream && typeof stream.unref === 'function') stream.unref();
    }
  }

  async #afterEnd(): Promise<void> {
    if (this.#isStopping || this.#server === null) return;
    const reason =
      this.#report !== null && 'failed' in this.#report ? describe(this.#report) : 'its guardian was killed';
    // Nobody watches the server any more: better none than one that outlives us.
    await stopPostgres(this.#server);
    for (const listener of this.#lossListeners) listener(reason);
  }
}

function describe(report: GuardianReport | null): string {
  if (report === null || !('failed' in report)) return 'its guardian process ended';
  return report.output === '' ? report.failed : `${report.failed}: ${lastLines(report.output)}`;
}
