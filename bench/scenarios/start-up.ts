import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../src/testing/free-port.ts';
import { cpuSeconds, pin, serverCore } from '../process-cpu.ts';
import type { LoadFigures } from '../suite/closed-loop.ts';
import { LatencyRecord } from '../suite/latency.ts';
import { ours } from '../suite/run-scenario.ts';
import type { Probe } from '../suite/scenario.ts';
import { cpuRatio, figuresOf, p95Ratio, type Turns } from '../suite/turns.ts';

const limit = 'bare node:http';
const startLimitMs = 60_000;
const pollMs = 5;

/** From the start of the process to the first 200 of /readyz, on data that are there; beside a bare server's first answer. */
export const startUp: Probe = {
  name: 'start-up',
  async measure({ database, rounds }) {
    const environment = {
      HOST: '127.0.0.1',
      DATABASE_URL: database.url,
      DATA_DIR: database.dataDir,
      NODE_ENV: 'production',
      AUTH: 'off',
      LOG_LEVEL: 'warn',
      DRAIN_DELAY_MS: '0',
    };
    const turns: Turns = new Map<string, LoadFigures[]>([
      [ours, []],
      [limit, []],
    ]);
    // Once before: what is read from the disk then is in memory afterwards.
    for (let round = -1; round < rounds; round += 1) {
      const port = await findFreePort();
      const own = await timeStart(['src/main.ts'], { ...environment, PORT: String(port) }, port);
      const barePort = await findFreePort();
      const bare = await timeStart(['bench/constant-server.ts', 'ok', String(barePort)], {}, barePort);
      if (round < 0) continue;
      (turns.get(ours) as LoadFigures[]).push(own);
      (turns.get(limit) as LoadFigures[]).push(bare);
    }
    const ofCpu = cpuRatio(turns, ours, limit);
    return {
      name: startUp.name,
      load: { connections: 1, rate: null, seconds: 0 },
      ours: figuresOf(turns.get(ours)!),
      limits: [{ name: limit, figures: figuresOf(turns.get(limit)!) }],
      ratios: [...(ofCpu === null ? [] : [ofCpu]), p95Ratio(turns, ours, limit)],
      series: [],
    };
  },
};

/** One start as one request. */
async function timeStart(args: readonly string[], env: Record<string, string>, port: number): Promise<LoadFigures> {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const startMs = performance.now();
  const child = spawn(process.execPath, [...args], { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] });
  pin(child.pid!, serverCore);
  const ended = once(child, 'exit');
  try {
    while (!(await isReady(port))) {
      if (child.exitCode !== null || performance.now() - startMs > startLimitMs)
        throw new Error(`${args[0]} did not start`);
      await pause(pollMs);
    }
    const tookMs = performance.now() - startMs;
    const cpu = cpuSeconds(child.pid!);
    const latency = new LatencyRecord();
    latency.record(tookMs);
    const cpuMicroseconds = Number.isNaN(cpu) ? null : cpu * 1e6;
    return { requests: 1, shed: 0, requestsPerSecond: 1_000 / tookMs, cpuMicroseconds, latency };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

async function isReady(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
  await answer?.text();
  return answer?.status === 200;
}
