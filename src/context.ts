import type { Database } from './db/client.ts';
import { unauthenticated } from './errors.ts';
import type { InferenceEngine } from './inference/engine.ts';
import type { PredictionSink } from './inference/prediction-sink.ts';

/** Who asks. Every row a request may see or write belongs to the viewer's organization. */
export interface Viewer {
  userId: string;
  organizationId: string;
}

/** What the process made once and lends to every request. */
export interface Dependencies {
  database: Database;
  inference: InferenceEngine;
  predictions: PredictionSink;
  /** The viewer of a request, or null when it has none. */
  authenticate(request: Request): Promise<Viewer | null>;
}

/** One request: loaders hang on this object (schema/loader.ts) and die with it. */
export interface Context {
  readonly database: Database;
  readonly inference: InferenceEngine;
  readonly predictions: PredictionSink;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** null: not signed in. */
  readonly viewer: Viewer | null;
}

export async function createContext(dependencies: Dependencies, request: Request, requestId: string): Promise<Context> {
  return {
    database: dependencies.database,
    inference: dependencies.inference,
    predictions: dependencies.predictions,
    requestId,
    signal: request.signal,
    viewer: await dependencies.authenticate(request),
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
