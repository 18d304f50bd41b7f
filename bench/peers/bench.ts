/** The four queries beside other GraphQL servers on the same data, which are installed when they are missing. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../src/testing/free-port.ts';
import { killAtExit } from '../../src/testing/undo-at-exit.ts';
import type { BenchQuery, QueryKey } from '../four-queries.ts';
import { pin, serverCore } from '../process-cpu.ts';
import { type BenchWorld, coldEnvironment, withBenchWorld, withOwnServer } from '../suite/bench-world.ts';
import { runClosedLoop } from '../suite/closed-loop.ts';
import { gatherFacts, pagesBeforeDeepOne } from '../suite/facts.ts';
import { targetOf } from '../suite/own-server.ts';
import { ours, type RunContext } from '../suite/run-scenario.ts';
import type { Facts } from '../suite/scenario.ts';
import { cpuRatio, figuresOf, measureInTurns, type Side, warmUp } from '../suite/turns.ts';
import { operationOf, type Peer, type PeerOperation, peers, textsOf } from './peers.ts';

export interface PeersOptions {
  readonly rounds: number;
  readonly requests: number;
  readonly connections: number;
  readonly scale: number;
}

interface RunningPeer {
  readonly peer: Peer;
  readonly pid: number;
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const folder = fileURLToPath(new URL('.', import.meta.url));
const headers = { 'content-type': 'application/json' };

/** Prints CPU a request, requests a second, and our CPU as a part of each peer's; a peer's answer must have our texts. */
export async function benchPeers(options: PeersOptions): Promise<void> {
  install();
  await withBenchWorld(options.scale, (world) =>
    withOwnServer(world, { environment: coldEnvironment }, async (server) => {
      const facts = await gatherFacts(server, options.scale);
      const running: RunningPeer[] = [];
      try {
        for (const peer of peers) running.push(await start(peer, world));
        for (const query of Object.values(facts.queries)) {
          await measure(query, { ...world, server, facts }, running, options);
        }
      } finally {
        for (const { stop } of running) await stop();
      }
    }),
  );
}

/** As its lock file says; the packages of the project have none of them. */
function install(): void {
  // npm writes it when all of them are there.
  if (existsSync(`${folder}node_modules/.package-lock.json`)) return;
  process.stderr.write('installing the peers\n');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder, stdio: 'inherit' });
}

async function start(peer: Peer, { database }: BenchWorld): Promise<RunningPeer> {
  const port = await findFreePort();
  const child = spawn(
    process.execPath,
    [`${folder}${peer.server}`, database.url, String(port), database.organizationId],
    {
      env: { NODE_ENV: 'production', GRAPHILE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  killAtExit(child);
  const ended = once(child, 'exit');
  await Promise.race([
    once(child.stdout!, 'data'),
    ended.then(([code]) => Promise.reject(new Error(`${peer.name} ended with ${code}`))),
  ]);
  pin(child.pid!, serverCore);
  const stop = async () => {
    child.kill();
    await ended;
  };
  return { peer, pid: child.pid!, url: `http://127.0.0.1:${port}/graphql`, stop };
}

async function measure(
  query: BenchQuery,
  { server, facts, database }: RunContext & Pick<BenchWorld, 'database'>,
  running: readonly RunningPeer[],
  { rounds, requests, connections, scale }: PeersOptions,
): Promise<void> {
  const own = await targetOf(server, 'cold', query);
  const sides: Side[] = [{ name: ours, target: own.target }];
  const pages = pagesBeforeDeepOne(scale);
  for (const each of running) {
    sides.push(
      await sideOf(each, query.key, { facts, pages, organizationId: database.organizationId, expected: own.answer }),
    );
  }
  process.stderr.write(`${query.name}: ${connections} connections, ${rounds} rounds\n`);
  await warmUp(sides);
  const turns = await measureInTurns(sides, rounds, ({ target }) => runClosedLoop(target, connections, { requests }));
  for (const [name, each] of turns) {
    const { cpuMicroseconds, requestsPerSecond } = figuresOf(each);
    const ratio = name === ours ? null : cpuRatio(turns, ours, name, null);
    const part = ratio
      ? `; ours takes ${ratio.value.toFixed(2)} of it (${Math.min(...ratio.rounds).toFixed(2)} to ${Math.max(...ratio.rounds).toFixed(2)})`
      : '';
    console.log(
      `${query.name}: ${name} ${cpuMicroseconds?.toFixed(0)} µs, ${Math.round(requestsPerSecond)} req/s${part}`,
    );
  }
}

interface PeerFacts {
  readonly facts: Facts;
  readonly pages: number;
  readonly organizationId: string;
  /** Our answer. */
  readonly expected: string;
}

async function sideOf({ peer, pid, url }: RunningPeer, key: QueryKey, given: PeerFacts): Promise<Side> {
  const ask = async (operation: PeerOperation) =>
    (await fetch(url, { method: 'POST', headers, body: JSON.stringify(operation) })).text();
  const operation = await operationOf(key, peer.queries(given.organizationId), { ...given, ask });
  const answer = await ask(operation);
  if (textsOf(answer).join() !== textsOf(given.expected).join() || answer.includes('"errors"')) {
    throw new Error(`${peer.name} answers\n${answer.slice(0, 500)}\nand our server\n${given.expected.slice(0, 500)}`);
  }
  const body = JSON.stringify(operation);
  return { name: peer.name, target: { pid, url, method: 'POST', headers, body, isExpected: (got) => got === answer } };
}
