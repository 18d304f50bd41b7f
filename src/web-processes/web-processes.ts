/** The processes that serve the port: started, replaced when they end, and ended. */
import type { ChildProcess } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';
import type { ShutdownReason } from '../shutdown.ts';
import { type End, EndedAtStart, endProcess, onEnd } from './messages.ts';
import { RestartDelay } from './restart-delay.ts';

export interface WebProcessesOptions {
  count: number;
  /** What they find in their environment beside that of this process. */
  environment: Readonly<Record<string, string>>;
  /** Milliseconds until an end that was asked for is forced. */
  endLimitMs: number;
  log: Logger;
  /** Told of each process when it starts. */
  onStart(child: ChildProcess): void;
}

/** The place of one process, whichever is in it. */
interface Place {
  /** null: the next one is not started yet. */
  worker: Worker | null;
  readonly delay: RestartDelay;
  timer?: NodeJS.Timeout;
}

export class WebProcesses {
  readonly #options: WebProcessesOptions;
  readonly #places: Place[];
  readonly #serving = new Set<Worker>();
  #isEnding = false;
  #replacing: Promise<void> = Promise.resolve();
  #isReplacementWaiting = false;

  constructor(options: WebProcessesOptions) {
    this.#options = options;
    // The primary accepts connections and hands them out in turn, at 44 µs for each. Measured with two processes, 40 clients
    // that connect anew for each request, and ten replacements: no request fails. Where processes accept by themselves,
    // what is in their queue when they end is reset: 193 of 1,601 with a socket each (reusePort), 20 of 1,288 with a shared
    // one, which also gave 4 of 32 lasting connections to one process and 28 to the other (in turn: 14 and 18).
    cluster.schedulingPolicy = cluster.SCHED_RR;
    this.#places = Array.from({ length: options.count }, () => ({ worker: null, delay: new RestartDelay() }));
  }

  /** How many there are now that serve. */
  get serving(): number {
    return this.#serving.size;
  }

  /**
   * Starts one, which makes what is made once, and then the others. Resolves when all serve.
   * @throws EndedAtStart when the first ends before it serves
   */
  async start(): Promise<void> {
    const [first, ...others] = this.#places as [Place, ...Place[]];
    const worker = this.#launch(first);
    if (!(await hasServed(worker))) throw new EndedAtStart('the web process ended before it served');
    first.worker = worker;
    await Promise.all(others.map((place) => this.#fill(place)));
  }

  /** A new process for each, one after the other: the old one ends when the new one serves. Resolves when it is done. */
  replaceAll(): Promise<void> {
    if (this.#isReplacementWaiting) return this.#replacing;
    this.#isReplacementWaiting = true;
    this.#replacing = this.#replacing.then(async () => {
      this.#isReplacementWaiting = false;
      for (const place of this.#places) if (!(await this.#replace(place))) return;
    });
    return this.#replacing;
  }

  /** Resolves when all have ended. */
  async end(reason: ShutdownReason): Promise<void> {
    this.#isEnding = true;
    for (const { timer } of this.#places) clearTimeout(timer);
    // Also those that have not served yet, and are in no place.
    const workers = Object.values(cluster.workers ?? {}) as Worker[];
    await Promise.all(workers.map((worker) => endProcess(worker.process, reason, this.#options.endLimitMs)));
  }

  #launch(place: Place): Worker {
    const { environment, onStart } = this.#options;
    const worker = cluster.fork(environment);
    const startedAt = performance.now();
    closeLostConnection(worker);
    onStart(worker.process);
    worker.once('listening', () => this.#serving.add(worker));
    // Without it a connection that cannot be handed to a dying process would end the primary.
    worker.on('error', (error) => this.#options.log.warn({ err: error }, 'a web process could not be told something'));
    onEnd(worker.process, (end) => {
      this.#serving.delete(worker);
      // One that was replaced or was to replace another is in no place.
      if (place.worker !== worker || this.#isEnding) return;
      this.#refill(place, end, performance.now() - startedAt);
    });
    return worker;
  }

  /** Resolves when it serves or has ended; then another is started. */
  async #fill(place: Place): Promise<void> {
    place.worker = this.#launch(place);
    await hasServed(place.worker);
  }

  #refill(place: Place, end: End, ranMs: number): void {
    place.worker = null;
    const delayMs = Math.round(place.delay.next(ranMs));
    this.#options.log.error({ ...end, delayMs }, 'a web process ended, and is replaced');
    place.timer = setTimeout(() => void this.#fill(place), delayMs);
  }

  /** false: the new one did not start, so the old one stays. */
  async #replace(place: Place): Promise<boolean> {
    if (this.#isEnding) return false;
    const { endLimitMs, log } = this.#options;
    const next = this.#launch(place);
    if (!(await hasServed(next))) {
      if (!this.#isEnding) log.error('a new web process ended before it served: the old ones stay');
      return false;
    }
    clearTimeout(place.timer);
    const old = place.worker;
    place.worker = next;
    if (old) await endProcess(old.process, 'replacement', endLimitMs);
    log.info({ pid: old?.process.pid, by: next.process.pid }, 'a web process was replaced');
    return true;
  }
}

/** Resolves with true when it listens, with false when it has ended before. */
function hasServed(worker: Worker): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  worker.once('listening', () => resolve(true));
  onEnd(worker.process, () => resolve(false));
  return promise;
}

/**
 * Of a connection on its way to a process that dies before it has taken it node:cluster forgets its own end: the socket
 * stays open, and the client waits for ever.
 */
function closeLostConnection(worker: Worker): void {
  const { process: child } = worker;
  const send = child.send.bind(child) as (...values: unknown[]) => boolean;
  let last: { close(): void } | undefined;
  child.send = (...values: unknown[]) => {
    const [, handle] = values as [unknown, { close(): void } | undefined];
    if (typeof handle?.close === 'function') last = handle;
    return send(...values);
  };
  // One that ended in order has answered for all that it was given: what it did not take may be another's by now. A
  // connection that was taken is closed here already, and closing it again does nothing.
  child.once('exit', () => {
    if (!worker.exitedAfterDisconnect) last?.close();
  });
}
