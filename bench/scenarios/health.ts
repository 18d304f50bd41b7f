import { startBackgroundLoad } from '../suite/background.ts';
import { coldEnvironment, withOwnServer } from '../suite/bench-world.ts';
import type { Target } from '../suite/closed-loop.ts';
import { runConstantRate } from '../suite/constant-rate.ts';
import { targetOf } from '../suite/own-server.ts';
import type { Load, ScenarioResult } from '../suite/results.ts';
import { ours } from '../suite/run-scenario.ts';
import type { Probe } from '../suite/scenario.ts';
import { figuresOf, measureInTurns, p95Ratio, type Side } from '../suite/turns.ts';

/** That load the server with pages of features in the meantime. */
const connections = 32;
/** Health checks a second. */
const rate = 50;
const page = `{ features(first: 20) { nodes { id name status createdAt owner { id name }
  testCases(first: 5) { nodes { id name status } } deployments(first: 3) { nodes { id version status createdAt } } } } }`;

/** What /healthz takes while the server has as much to do as it can; beside constant bytes of a server that has nothing. */
export const healthUnderLoad: Probe = {
  name: 'health check under load',
  measure: (world) =>
    withOwnServer(world, { environment: coldEnvironment }, async (server): Promise<ScenarioResult> => {
      const { target } = await targetOf(server, 'cold', { query: page, variables: {} });
      const stop = await startBackgroundLoad(target, connections);
      try {
        const health = await healthTarget(server.origin, server.pid);
        const limit = await world.limits.constant('ok');
        const sides: Side[] = [
          { name: ours, target: health },
          { name: 'constant bytes', target: limit },
        ];
        const load: Load = { connections, rate, seconds: world.seconds };
        const turns = await measureInTurns(sides, world.rounds, (side) =>
          runConstantRate(side.target, rate, world.seconds),
        );
        return {
          name: healthUnderLoad.name,
          load,
          // The CPU of the server is for the load, too.
          ours: { ...figuresOf(turns.get(ours)!), cpuMicroseconds: null },
          limits: [{ name: 'constant bytes', figures: figuresOf(turns.get('constant bytes')!) }],
          ratios: [p95Ratio(turns, ours, 'constant bytes')],
          series: [],
        };
      } finally {
        await stop();
      }
    }),
};

async function healthTarget(origin: string, pid: number): Promise<Target> {
  const url = `${origin}/healthz`;
  const expected = await (await fetch(url)).text();
  return { pid, url, method: 'GET', headers: {}, isExpected: (body) => body === expected };
}
