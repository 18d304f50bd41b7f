import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { setImmediate as nextLoop } from 'node:timers/promises';
import { type Link, LinkedList } from '../linked-list.ts';

export interface DrainLimits {
  /** How long connections without work stay open for a request that is on its way already. Default: 1,000. */
  graceMs?: number;
  /** How long work in flight may take, the grace included; what is left then is cut off. */
  timeoutMs: number;
}

export interface Drain {
  /**
   * Takes no new connections, answers what still comes on the open ones and lets each go with its last answer.
   * Resolves when every connection is closed, with how many requests were cut off.
   */
  begin(limits: DrainLimits): Promise<number>;
}

const linkKey = Symbol('link');
type InFlight = ServerResponse & { [linkKey]?: Link<ServerResponse> };

/**
 * The polite end of a server; to be made before its first request. A client may send its next request at the moment
 * its connection is closed, and then cannot know whether it was done: so connections are told by `Connection: close`
 * with an answer, and only those that stay silent for the grace are closed without one.
 */
export function createDrain(server: Server): Drain {
  const inFlight = new LinkedList<ServerResponse>();
  let isDraining = false;
  let isGraceOver = false;
  // One for all answers: a function and a wrapper for each cost as much as what they do.
  function onClose(this: InFlight): void {
    inFlight.remove(this[linkKey]!);
    if (isGraceOver) setImmediate(() => server.closeIdleConnections());
  }
  // After what answers: most answers from the cache are out by now, and what is out is not in flight.
  server.on('request', (_request, response) => {
    if (response.writableEnded && response.writableLength === 0 && !isDraining) return;
    (response as InFlight)[linkKey] = inFlight.add(response);
    response.on('close', onClose);
  });
  return {
    async begin({ graceMs = 1_000, timeoutMs }) {
      isDraining = true;
      server.prependListener('request', (_request, response) => void response.setHeader('connection', 'close'));
      for (const response of inFlight) if (!response.headersSent) response.setHeader('connection', 'close');
      const closed = stopListening(server);
      const startedAt = performance.now();
      await waitFor(closed, Math.min(graceMs, timeoutMs));
      isGraceOver = true;
      // After the poll of the loop: what has arrived by now has been read, so its connection is not idle.
      await nextLoop();
      server.closeIdleConnections();
      await waitFor(closed, timeoutMs - (performance.now() - startedAt));
      const cutOff = inFlight.size;
      server.closeAllConnections();
      await closed;
      return cutOff;
    },
  };
}

/** Closes the listening socket only; close() of node:http would close idle connections with it. Resolves when all are gone. */
function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => NetServer.prototype.close.call(server, () => resolve()));
}

/** Resolves with the promise, or after so many milliseconds. */
function waitFor(promise: Promise<void>, milliseconds: number): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  void promise.then(resolve);
  return over.finally(() => clearTimeout(timer));
}
