/** The process that runs the models for all web processes, on a socket that only this user can reach. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { ShutdownReason } from '../shutdown.ts';
import { type End, EndedAtStart, endProcess, onEnd, type ToPrimary } from './messages.ts';
import { RestartDelay } from './restart-delay.ts';

const file = fileURLToPath(new URL('../inference-main.ts', import.meta.url));

export interface InferenceProcessOptions {
  /** Milliseconds until an end that was asked for is forced. */
  endLimitMs: number;
  log: Logger;
  /** Told of each process when it starts. */
  onStart(child: ChildProcess): void;
}

/** Started again whenever it ends; meanwhile predictions are refused as OVERLOADED. */
export class InferenceProcess {
  readonly #options: InferenceProcessOptions;
  /** Made for its user alone. */
  readonly #folder = mkdtempSync(join(tmpdir(), 'tributary-inference-'));
  readonly #socket = join(this.#folder, 'socket');
  readonly #delay = new RestartDelay();
  readonly #serving = Promise.withResolvers<void>();
  #child: ChildProcess | null = null;
  #timer: NodeJS.Timeout | undefined;
  #hasServed = false;
  #isEnding = false;

  constructor(options: InferenceProcessOptions) {
    this.#options = options;
  }

  /** For INFERENCE_URL; the same for every process that is started in its place. */
  get url(): string {
    return `unix:${this.#socket}`;
  }

  /**
   * Resolves when it serves.
   * @throws EndedAtStart
   */
  start(): Promise<void> {
    this.#launch();
    return this.#serving.promise;
  }

  async end(reason: ShutdownReason): Promise<void> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    if (this.#child) await endProcess(this.#child, reason, this.#options.endLimitMs);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #launch(): void {
    // One that was killed has left its socket.
    rmSync(this.#socket, { force: true });
    const child = fork(file, [this.#socket]);
    const startedAt = performance.now();
    this.#child = child;
    this.#options.onStart(child);
    child.on('message', (message: ToPrimary) => {
      if (message.type !== 'serving') return;
      this.#hasServed = true;
      this.#serving.resolve();
    });
    onEnd(child, (end) => {
      this.#child = null;
      if (this.#isEnding) return;
      if (this.#hasServed) this.#relaunch(end, performance.now() - startedAt);
      else this.#serving.reject(new EndedAtStart('the inference process ended before it served'));
    });
  }

  #relaunch(end: End, ranMs: number): void {
    const delayMs = Math.round(this.#delay.next(ranMs));
    this.#options.log.error({ ...end, delayMs }, 'the inference process ended, and is started again');
    this.#timer = setTimeout(() => this.#launch(), delayMs);
  }
}
