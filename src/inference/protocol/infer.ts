/** One inference request of the protocol, answered by an engine. */
import { type InferenceEngine, InferenceError, type LoadedVersion } from '../engine.ts';
import {
  decodeRequest,
  encodeResponse,
  type InferRequest,
  type Parameters,
  type RequestedOutput,
  readCount,
  readSwitch,
} from './messages.ts';
import { ProtocolError, shown } from './protocol-error.ts';
import { joinRows, splitRows } from './rows.ts';
import type { EncodedDocument } from './tensor-codec.ts';

/** What a request's rows run on. */
export interface InferTarget {
  readonly engine: InferenceEngine;
  readonly version: LoadedVersion;
  /** Most rows of one request. */
  readonly maxRows: number;
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * Answers a request; each of its rows is a row of engine.predict, so that rows of other requests run with them.
 * Parameters: `timeout` (microseconds, 0: none), `priority` (0 and 1: interactive, from 2: bulk) and
 * `tributary_row_errors` (true: the client takes answers in which some rows are zeros, and reads the parameter of that
 * name, a JSON object from row to message).
 * Throws a ProtocolError, or an InferenceError of the engine.
 */
export async function answerInference(
  document: EncodedDocument,
  { engine, version, maxRows, signal }: InferTarget,
): Promise<EncodedDocument> {
  const { manifest } = version;
  const request = decodeRequest(document);
  const outputs = wantedOutputs(version, request);
  const timeoutUs = readCount(request.parameters, 'timeout') ?? 0;
  const isPartialTaken = readSwitch(request.parameters, 'tributary_row_errors') ?? false;
  const results = await engine.predict({
    model: version.name,
    version: version.version,
    rows: splitRows(manifest, request.inputs, maxRows),
    signal,
    ...(timeoutUs > 0 && { deadlineMs: timeoutUs / 1000 }),
    lane: (readCount(request.parameters, 'priority') ?? 0) > 1 ? 'bulk' : 'interactive',
  });
  const joined = joinRows(
    manifest,
    results,
    outputs.map(({ name }) => name),
  );
  if (joined.failures.size > 0 && !isPartialTaken) {
    throw results.find((result) => result instanceof InferenceError)!;
  }
  const parameters: Parameters = {
    tributary_compute_ms: joined.computeMs,
    ...(joined.failures.size > 0 && { tributary_row_errors: JSON.stringify(Object.fromEntries(joined.failures)) }),
  };
  const { name: modelName, version: modelVersion } = version;
  return encodeResponse(
    { modelName, modelVersion, id: request.id, parameters, outputs: joined.outputs },
    (name) => outputs.find((output) => output.name === name)!.isBinary,
  );
}

function wantedOutputs({ manifest }: LoadedVersion, request: InferRequest): readonly RequestedOutput[] {
  const names = manifest.outputs.map(({ name }) => name);
  if (request.outputs === null) return names.map((name) => ({ name, isBinary: request.isBinaryOutput }));
  const unknown = request.outputs.find(({ name }) => !names.includes(name));
  if (unknown === undefined) return request.outputs;
  throw new ProtocolError(`outputs: expected some of ${names.join(', ')}, got ${shown(unknown.name)}`);
}
