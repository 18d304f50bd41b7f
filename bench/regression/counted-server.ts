import { Agent, request as openRequest } from 'node:http';
import { findFreePort } from '../../src/testing/free-port.ts';
import type { BenchDatabase } from '../suite/bench-database.ts';
import { type OwnServer, startOwnServer } from '../suite/own-server.ts';
import type { Instrument, ProbeReading } from './counts-probe.ts';

export interface CountedRequest {
  method: 'GET' | 'POST';
  path: string;
  /** None for GET. */
  body?: string;
}

/** Our server as in production, but for what the probe changes; one request at a time, all on one connection. */
export interface CountedServer {
  readonly ask: OwnServer['ask'];
  /**
   * The answer's body.
   * @throws when the answer has errors
   */
  send(request: CountedRequest): Promise<string>;
  /** What the process has done since the last reading; bytes since its start. */
  read(): Promise<ProbeReading>;
  /** How often each SQL statement has run since the start. */
  countStatements(): Promise<Map<string, number>>;
  stop(): Promise<void>;
}

export async function startCountedServer(
  database: BenchDatabase,
  instrument: Instrument,
  environment: Readonly<Record<string, string>>,
): Promise<CountedServer> {
  const port = await findFreePort();
  const probe = new URL(`./counts-probe.ts?port=${port}&instrument=${instrument}`, import.meta.url);
  const server = await startOwnServer(database, {
    environment: {
      NODE_OPTIONS: `--import ${probe.href}`,
      MODELS_POLL_MS: '0',
      LIMIT_COST: 'off',
      MAX_EVENT_LOOP_DELAY_MS: '60000',
      ...environment,
    },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: server.ask,
    send: (request) => send(server, agent, request),
    read: async () => (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as ProbeReading,
    countStatements: () => countStatements(server.origin),
    async stop() {
      agent.destroy();
      await server.stop();
    },
  };
}

function send({ origin, headers }: OwnServer, agent: Agent, { method, path, body }: CountedRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const request = openRequest(
      `${origin}${path}`,
      { method, agent, headers: { ...headers, ...length } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const answer = Buffer.concat(parts).toString();
          if (response.statusCode === 200 && !answer.includes('"errors":')) resolve(answer);
          else reject(new Error(`${method} ${path}: status ${response.statusCode}, ${answer.slice(0, 500)}`));
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function countStatements(origin: string): Promise<Map<string, number>> {
  const metrics = await (await fetch(`${origin}/metrics`)).text();
  const counts = metrics.matchAll(/^tributary_statement_seconds_count\{statement="(\w+)"\} (\d+)/gm);
  return new Map([...counts].map(([, name, count]) => [name!, Number(count)]));
}
