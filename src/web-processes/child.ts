/** A process that the primary has started: it ends when the primary says so, and tells its figures. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { Registry } from 'prom-client';
import type { FigurePage } from '../http/listener.ts';
import type { Shutdown } from '../shutdown.ts';
import type { FromPrimary, ToPrimary } from './messages.ts';

/** A page takes the primary a second at most, unless it is late itself. */
const pageTimeoutMs = 5_000;

/**
 * Does what the primary says. To be called before anything takes long: what is sent before is kept.
 * @param registry the figures of this process
 */
export function followPrimary({ shutdown, registry }: { shutdown: Shutdown; registry: Registry }): void {
  // They come to all processes of a terminal or a service at once; in which order these end, the primary says.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('message', (message: FromPrimary) => {
    if (message.type === 'end') void shutdown.begin(message.reason);
    else if (message.type === 'figures-wanted') void tellFigures(registry);
  });
  // Web processes end at once, by node:cluster: their connections came through the primary.
  process.once('disconnect', () => void shutdown.begin('fault'));
}

/** Says that it serves from now on; node:cluster says it for web processes. */
export function tellServing(): void {
  send({ type: 'serving' });
}

/**
 * The last that the primary hears of a web process: its figures, and that it takes no connection any more. One that is on
 * its way here goes to another process; without the answer to this it would stay open and unanswered for ever.
 */
export async function leavePrimary(registry: Registry): Promise<void> {
  if (!process.connected) return;
  await tellFigures(registry);
  const left = once(process, 'disconnect');
  cluster.worker?.disconnect();
  await left;
}

/** The figures of all processes, from the primary. */
export function createSharedPage(): FigurePage {
  let lastId = 0;
  return {
    contentType: Registry.PROMETHEUS_CONTENT_TYPE,
    metrics() {
      const id = ++lastId;
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const onMessage = (message: FromPrimary) => {
        if (message.type !== 'page' || message.id !== id) return;
        if (message.text === null) reject(new Error('the primary could not gather the figures'));
        else resolve(message.text);
      };
      process.on('message', onMessage);
      const timer = setTimeout(() => reject(new Error('the primary did not answer')), pageTimeoutMs);
      send({ type: 'page-wanted', id });
      return promise.finally(() => {
        clearTimeout(timer);
        process.off('message', onMessage);
      });
    },
  };
}

async function tellFigures(registry: Registry): Promise<void> {
  send({ type: 'figures', figures: await registry.getMetricsAsJSON() });
}

function send(message: ToPrimary): void {
  // The primary may be gone; then this process ends, too.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
