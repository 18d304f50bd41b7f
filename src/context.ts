import { NarrowedHint } from './cache/narrowed-hint.ts';
import { ReadTags } from './cache/read-tags.ts';
import type { EarlierAnswer, SemanticCache } from './cache/semantic-cache.ts';
import type { Database, SharedDatabase } from './db/database.ts';
import { publicOnly } from './db/organization-wall.ts';
import type { FoundDocuments } from './domains/documents/queries/document.ts';
import type { Rollouts } from './domains/predictions/rollouts.ts';
import { forbidden, unauthenticated } from './errors.ts';
import type { InferenceEngine } from './inference/engine.ts';
import type { PredictionSink } from './inference/prediction-sink.ts';
import type { VectorIndex } from './inference/vector-index.ts';
import type { MadeForRequest } from './per-request.ts';

/** What a token may be good for; none implies another. */
export const scopes = ['read', 'write', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Who asks. Every row a request may see or write belongs to the viewer's organization. */
export interface Viewer {
  userId: string;
  organizationId: string;
  scopes: readonly Scope[];
}

/** What the process made once and lends to every request. */
export interface Dependencies {
  database: SharedDatabase;
  /** A pool of its own: aggregates that take seconds must not keep look-ups waiting. */
  analyticsDatabase: SharedDatabase;
  inference: InferenceEngine;
  predictions: PredictionSink;
  rollouts: Rollouts;
  vectors: VectorIndex;
  /** Default: every search is made anew. */
  semanticCache?: SemanticCache<FoundDocuments> | undefined;
  /**
   * The viewer of a request, or null when it does not say who asks.
   * @throws UNAUTHENTICATED for a token that is not good
   */
  authenticate(request: Request): Promise<Viewer | null> | Viewer | null;
}

/** One request: loaders hang on this object (per-request.ts) and die with it. */
export interface Context extends MadeForRequest {
  readonly database: Database;
  readonly analyticsDatabase: Database;
  /** For what an organization, the viewer's or any other, shows to everybody: statements that are public, nothing else. */
  readonly publicDatabase: (organizationId: string) => Database;
  readonly inference: InferenceEngine;
  readonly predictions: PredictionSink;
  readonly rollouts: Rollouts;
  readonly vectors: VectorIndex;
  /** null: there is none, or the client wants no answer that was made for another question. */
  readonly semanticCache: SemanticCache<FoundDocuments> | null;
  /** Fields that were answered by it, in the order in which they were. */
  readonly semanticHits: SemanticHit[];
  /** What the request reads, for who keeps its answer. */
  readonly reads: ReadTags;
  /** For resolvers that know only when they run how long their answer may be kept: it narrows what the schema says. */
  readonly cacheHint: NarrowedHint;
  readonly requestId: string;
  /** Aborted when the request's time is over or its client has gone; its reason is the error to answer with. */
  readonly signal: AbortSignal;
  /** Milliseconds until the request's time is over; Infinity: it has no deadline. */
  readonly remainingMs: () => number;
  /** null: not signed in. */
  readonly viewer: Viewer | null;
  /**
   * Whether a page may have so many items.
   * @throws BAD_USER_INPUT naming the path of the argument
   */
  readonly checkListSize: CheckListSize;
}

/** A field that was answered as an earlier question was, which another viewer may have asked: its text is not told. */
export interface SemanticHit extends EarlierAnswer {
  readonly path: readonly (string | number)[];
}

export type CheckListSize = (path: string, size: number) => void;

/** What a context is told of its request. */
export interface RequestFacts extends Pick<Context, 'requestId' | 'viewer' | 'checkListSize'> {
  /** Each is read when it is first needed. */
  readonly time: { readonly signal: AbortSignal; readonly remainingMs: number };
  /** Whether the client wants no answer that was made for another question. */
  readonly wantsNew: boolean;
}

/**
 * A context whose parts are made when they are first needed: most requests need a few of them. They are no properties of
 * its own, so it must not be spread.
 */
export class RequestContext implements Context {
  readonly #dependencies: Dependencies;
  readonly #facts: RequestFacts;
  readonly inference: InferenceEngine;
  readonly predictions: PredictionSink;
  readonly rollouts: Rollouts;
  readonly vectors: VectorIndex;
  readonly semanticCache: SemanticCache<FoundDocuments> | null;
  readonly requestId: string;
  readonly viewer: Viewer | null;
  readonly checkListSize: CheckListSize;
  readonly made = new Map<unknown, unknown>();
  #database: Database | undefined;
  #analyticsDatabase: Database | undefined;
  #reads: ReadTags | undefined;
  #cacheHint: NarrowedHint | undefined;
  #semanticHits: SemanticHit[] | undefined;

  constructor(dependencies: Dependencies, facts: RequestFacts) {
    this.#dependencies = dependencies;
    this.#facts = facts;
    this.inference = dependencies.inference;
    this.predictions = dependencies.predictions;
    this.rollouts = dependencies.rollouts;
    this.vectors = dependencies.vectors;
    this.semanticCache = facts.wantsNew ? null : (dependencies.semanticCache ?? null);
    this.requestId = facts.requestId;
    this.viewer = facts.viewer;
    this.checkListSize = facts.checkListSize;
  }

  get database(): Database {
    this.#database ??= this.#within(this.#dependencies.database);
    return this.#database;
  }

  get analyticsDatabase(): Database {
    this.#analyticsDatabase ??= this.#within(this.#dependencies.analyticsDatabase);
    return this.#analyticsDatabase;
  }

  get publicDatabase(): Context['publicDatabase'] {
    return (organizationId) => publicOnly(this.#within(this.#dependencies.database, organizationId));
  }

  get semanticHits(): SemanticHit[] {
    this.#semanticHits ??= [];
    return this.#semanticHits;
  }

  get reads(): ReadTags {
    this.#reads ??= new ReadTags();
    return this.#reads;
  }

  get cacheHint(): NarrowedHint {
    this.#cacheHint ??= new NarrowedHint();
    return this.#cacheHint;
  }

  get signal(): AbortSignal {
    return this.#facts.time.signal;
  }

  get remainingMs(): () => number {
    const { time } = this.#facts;
    return () => time.remainingMs;
  }

  #within(shared: SharedDatabase, organizationId = this.viewer?.organizationId ?? null): Database {
    return shared.within({ signal: this.signal, organizationId, onRun: this.reads.note });
  }
}

/**
 * A context with properties of its own, for who copies them: Yoga.
 * @throws UNAUTHENTICATED for a token that is not good
 */
export async function createContext(
  dependencies: Dependencies,
  request: Request,
  {
    requestId,
    signal,
    remainingMs,
    checkListSize,
    wantsNew = false,
  }: Pick<Context, 'requestId' | 'signal' | 'remainingMs' | 'checkListSize'> & { wantsNew?: boolean },
): Promise<Context> {
  const viewer = await dependencies.authenticate(request);
  const time = {
    signal,
    get remainingMs() {
      return remainingMs();
    },
  };
  const context = new RequestContext(dependencies, { requestId, viewer, checkListSize, time, wantsNew });
  const { database, analyticsDatabase, publicDatabase, semanticHits, reads, cacheHint } = context;
  return {
    ...context,
    database,
    analyticsDatabase,
    publicDatabase,
    semanticHits,
    reads,
    cacheHint,
    signal,
    remainingMs,
  };
}

/**
 * The viewer of a request that needs one.
 * @throws UNAUTHENTICATED
 */
export function requireViewer(context: Context): Viewer {
  if (!context.viewer) throw unauthenticated();
  return context.viewer;
}

/**
 * The viewer of a request that needs one with this scope.
 * @throws UNAUTHENTICATED, FORBIDDEN naming the scope that is missing
 */
export function requireScope(context: Context, scope: Scope): Viewer {
  const viewer = requireViewer(context);
  if (!viewer.scopes.includes(scope)) throw forbidden(scope);
  return viewer;
}
