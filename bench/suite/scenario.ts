import type { BenchQuery, QueryKey } from '../four-queries.ts';
import type { LimitServer } from '../limits/limit-server.ts';
import type { BenchWorld } from './bench-world.ts';
import type { OwnServer } from './own-server.ts';
import type { ScenarioResult } from './results.ts';
import type { Side } from './turns.ts';

/** What operations are made of: they are about rows that are there. */
export interface Facts {
  readonly queries: Readonly<Record<QueryKey, BenchQuery>>;
  /** The page of 100 features behind which there is less than one. */
  readonly lastPage: BenchQuery;
  readonly siteId: string;
  readonly userId: string;
}

export interface Operation {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** `cold`: nothing is kept, neither answers nor predictions; `cached`: answers are, and asked for by GET of a trusted document. */
export type ServerKind = 'cold' | 'cached';

/** What a limit is made of. */
export interface LimitContext {
  readonly limits: LimitServer;
  readonly server: OwnServer;
  readonly facts: Facts;
  readonly operation: Operation;
  /** Ours. */
  readonly answer: string;
}

/** The same answer by a shorter way. */
export type MakeLimit = (context: LimitContext) => Promise<Side>;

/** An operation of our server, loaded in turns with its limits. */
export interface Scenario {
  readonly name: string;
  readonly server: ServerKind;
  readonly operation: (facts: Facts) => Operation;
  readonly limits: readonly MakeLimit[];
  /** Loads with more connections are left out: the server would refuse some of what is asked. */
  readonly maxConnections?: number;
  /** The id of the budget of its CPU against flat statements, with 32 connections. */
  readonly cpuBudget?: string;
}

/** What is measured in a way of its own. */
export interface Probe {
  readonly name: string;
  measure(context: ProbeContext): Promise<ScenarioResult>;
}

export interface ProbeContext extends BenchWorld {
  readonly rounds: number;
  /** Of a round. */
  readonly seconds: number;
}
