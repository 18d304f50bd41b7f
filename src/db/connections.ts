import { overloaded } from '../errors.ts';
import type { Caller } from './caller.ts';
import { Connection } from './connection.ts';
import type { ConnectionTarget } from './database.ts';
import { unavailable } from './failures.ts';
import { Pipelines } from './pipelines.ts';
import { WaitingLine } from './waiting-line.ts';

export interface ConnectionsOptions {
  /** Where the server is now. */
  target: () => ConnectionTarget;
  /** Most connections. */
  size: number;
  /** Most that wait for one. */
  queueSize: number;
  /** A connection was lost, or could not be made. */
  onOutage(): void;
}

/** Nobody new joins a line that takes longer. */
const maxWaitMs = 2_000;
/** Of the last hold in the mean of all. */
const holdWeight = 0.05;
const closeGraceMs = 5_000;

/** The connections of a pool, and who waits for one. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #pipelines: Pipelines;
  /** Most that are not pipelines. */
  readonly #size: number;
  readonly #open = new Set<Connection>();
  // The one used last is used next: the others stay idle together and can be given up.
  readonly #idle: Connection[] = [];
  readonly #line = new WaitingLine();
  /** How long a connection was held lately. */
  #meanHoldMs = 0;
  #lastAnswerAt = Number.NEGATIVE_INFINITY;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.#pipelines = new Pipelines(options.size, () => this.#make({ isPipeline: true }));
    this.#size = options.size - this.#pipelines.size;
  }

  get open(): number {
    return this.#open.size + this.#pipelines.open;
  }

  get running(): number {
    return this.#open.size - this.#idle.length + this.#pipelines.running;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /** When the server answered last, or when something began after nothing had run, by performance.now(). */
  get lastAnswerAt(): number {
    return this.#lastAnswerAt;
  }

  isFull(): boolean {
    const { size: waiting } = this.#line;
    // In statements, or in the time they will take: who would wait longer than that had better be told at once.
    const isSlow = waiting >= this.#size && (waiting * this.#meanHoldMs) / this.#size > maxWaitMs;
    return isSlow || waiting >= this.#options.queueSize;
  }

  /**
   * At once where one is free: most callers need no promise for it.
   * @throws OVERLOADED when too many wait
   */
  acquire(caller: Caller): Connection | Promise<Connection> {
    this.#noteBegin(performance.now());
    const connection = this.#takeIdle();
    return connection ? hold(connection, caller) : this.#waitFor(caller);
  }

  /** One that short reads share, which nobody releases; null: they had better `acquire` one for themselves. */
  share(caller: Caller): Connection | null {
    const now = performance.now();
    this.#noteBegin(now);
    const connection = this.#pipelines.choose(now);
    if (connection) caller.hasBegun = true;
    return connection;
  }

  /** To be called about every half second. */
  tend(): void {
    this.#pipelines.tend(performance.now());
  }

  release(connection: Connection): void {
    const now = performance.now();
    this.#meanHoldMs += (now - connection.heldSince - this.#meanHoldMs) * holdWeight;
    const { interruption } = connection;
    if (interruption && !connection.isLost) {
      void interruption.then(() => this.release(connection));
      return;
    }
    const waiter = this.#line.take();
    if (connection.isLost || now > connection.expiresAt) {
      this.#open.delete(connection);
      if (!connection.isLost) void connection.end();
      if (waiter) waiter.resolve(hold(this.#connect(), waiter.caller));
    } else if (waiter) waiter.resolve(hold(connection, waiter.caller));
    else this.#idle.push(connection);
  }

  /** The server is gone: so is what was idle, and nobody need wait. */
  giveUp(): void {
    this.refuseWaiting();
    this.#pipelines.giveUp();
    for (const connection of this.#idle.splice(0)) {
      this.#open.delete(connection);
      connection.destroy();
    }
  }

  refuseWaiting(): void {
    this.#line.rejectAll(unavailable);
  }

  /** Ends all of them; what runs may finish within 5 s. */
  async end(): Promise<void> {
    const limit = performance.now() + closeGraceMs;
    while (this.running > 0 && performance.now() < limit) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const open = [...this.#open];
    this.#open.clear();
    await Promise.all([this.#pipelines.end(), ...open.map((connection) => connection.end())]);
  }

  #takeIdle(): Connection | null {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      if (!idle.isLost) return idle;
      this.#open.delete(idle);
    }
    return this.#open.size < this.#size ? this.#connect() : null;
  }

  /** @throws OVERLOADED when too many wait */
  #waitFor(caller: Caller): Promise<Connection> {
    if (!caller.hasBegun && this.isFull()) {
      throw overloaded('Too much waits for the database already; try again soon');
    }
    return this.#line.wait(caller);
  }

  #connect(): Connection {
    const connection = this.#make();
    this.#open.add(connection);
    return connection;
  }

  #make(options: { isPipeline?: boolean } = {}): Connection {
    const events = {
      onAnswer: () => {
        this.#lastAnswerAt = performance.now();
      },
      onOutage: this.#options.onOutage,
    };
    return new Connection(this.#options.target(), events, options);
  }

  #noteBegin(now: number): void {
    if (this.running === 0) this.#lastAnswerAt = now;
  }
}

function hold(connection: Connection, caller: Caller): Connection {
  caller.hasBegun = true;
  connection.heldSince = performance.now();
  return connection;
}
