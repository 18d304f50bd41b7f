import { LinkedList } from '../linked-list.ts';
import type { Caller } from './caller.ts';
import type { Connection } from './connection.ts';

interface Waiter {
  readonly caller: Caller;
  resolve(connection: Connection): void;
  reject(error: unknown): void;
}

/**
 * Those who wait for a connection, in order of arrival, but work that has begun goes first: otherwise an overload lets
 * every request do a part of its statements and none all of them before its time is over (measured: 500 clients on two
 * connections, a tenth of what was let in ran out of time).
 */
export class WaitingLine {
  readonly #begun = new LinkedList<Waiter>();
  readonly #fresh = new LinkedList<Waiter>();

  get size(): number {
    return this.#begun.size + this.#fresh.size;
  }

  /** Rejects with the signal's reason when the caller leaves. */
  wait(caller: Caller): Promise<Connection> {
    const line = caller.hasBegun ? this.#begun : this.#fresh;
    return new Promise((resolve, reject) => {
      const onDeparture = () => {
        line.remove(link);
        waiter.reject(caller.signal?.reason);
      };
      const waiter: Waiter = {
        caller,
        resolve(connection) {
          caller.forget(onDeparture);
          resolve(connection);
        },
        reject(error) {
          caller.forget(onDeparture);
          reject(error);
        },
      };
      caller.onDeparture(onDeparture);
      const link = line.add(waiter);
    });
  }

  /** Who is next, taken out of the line; null: nobody waits. */
  take(): Waiter | null {
    for (const line of [this.#begun, this.#fresh]) {
      const { first } = line;
      if (!first) continue;
      line.remove(first);
      return first.value;
    }
    return null;
  }

  rejectAll(error: () => unknown): void {
    for (let waiter = this.take(); waiter; waiter = this.take()) waiter.reject(error());
  }
}
