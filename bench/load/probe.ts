/**
 * Loaded into a server's process before it: tells what only the process knows, on a socket named after its id. Each line
 * asks once: `look`, or `collect` for what is left after a full garbage collection.
 */
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';
import { type ProcessFigures, probePath } from './probe-client.ts';

/** Heap in use after the last full collection that V8 made by itself. */
function watchCollections(): () => number | null {
  let lastBytes: number | null = null;
  let profiler = startProfiler();
  return () => {
    const { statistics } = profiler.stop();
    profiler = startProfiler();
    const last = statistics.findLast(({ gcType }) => gcType === 'MarkSweepCompact');
    lastBytes = last?.afterGC.heapStatistics.usedHeapSize ?? lastBytes;
    return lastBytes;
  };
}

function startProfiler(): v8.GCProfiler {
  const profiler = new v8.GCProfiler();
  profiler.start();
  return profiler;
}

function listen(): void {
  v8.setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heapAfterCollection = watchCollections();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const look = (): ProcessFigures => {
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo();
    const figures = {
      rssBytes: rss,
      heapUsedBytes: heapUsed,
      heapAfterCollectionBytes: heapAfterCollection(),
      externalBytes: external,
      arrayBuffersBytes: arrayBuffers,
      // How late a timer of 10 ms was.
      eventLoopDelayP50Ms: Math.max(0, delay.percentile(50) / 1e6 - 10),
      eventLoopDelayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - 10),
      eventLoopDelayMaxMs: Math.max(0, delay.max / 1e6 - 10),
      sockets: resources.filter((name) => name.startsWith('TCPSocket')).length,
      // Timers and requests under way come and go.
      handles: resources.filter((name) => !/^(Timeout|Immediate|TCPSocket)|Req/.test(name)).length,
    };
    delay.reset();
    return figures;
  };
  const path = probePath(process.pid);
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.unref();
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => {
      if (line === 'collect') collect();
      socket.write(`${JSON.stringify(look())}\n`);
    });
  });
  server.listen(path).unref();
  process.on('exit', () => rmSync(path, { force: true }));
}

// Workers load it, too.
if (isMainThread) listen();
