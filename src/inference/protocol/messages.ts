/** Inference requests and responses of the protocol. */
import type { BatchTensor } from '../tensors.ts';
import { ProtocolError, shown } from './protocol-error.ts';
import { decodeDocument, type EncodedDocument, encodeDocument, type JsonObject, objectOf } from './tensor-codec.ts';

/** As the protocol has it: values are strings, numbers or booleans. */
export type Parameters = Readonly<Record<string, string | number | boolean>>;

export interface RequestedOutput {
  readonly name: string;
  readonly isBinary: boolean;
}

export interface InferRequest {
  readonly id?: string | undefined;
  readonly parameters: Parameters;
  readonly inputs: readonly BatchTensor[];
  /** null: all of them, in binary or not. */
  readonly outputs: readonly RequestedOutput[] | null;
  readonly isBinaryOutput: boolean;
}

export interface InferResponse {
  readonly modelName?: string | undefined;
  readonly modelVersion?: string | undefined;
  readonly id?: string | undefined;
  readonly parameters: Parameters;
  readonly outputs: readonly BatchTensor[];
}

/** Throws a ProtocolError only. */
export function decodeRequest(document: EncodedDocument): InferRequest {
  const { fields, tensors } = decodeDocument(document, 'inputs');
  const parameters = readParameters(fields.parameters);
  const isBinaryOutput = readSwitch(parameters, 'binary_data_output') ?? false;
  const outputs = fields.outputs === undefined ? null : readOutputs(fields.outputs, isBinaryOutput);
  return { id: readString(fields, 'id'), parameters, inputs: tensors, outputs, isBinaryOutput };
}

/** `isBinary`: how the inputs travel. */
export function encodeRequest({ id, parameters, inputs, outputs, isBinaryOutput }: InferRequest, isBinary: boolean) {
  const fields = {
    ...(id !== undefined && { id }),
    parameters: isBinaryOutput ? { ...parameters, binary_data_output: true } : parameters,
    ...(outputs !== null && { outputs: outputs.map(({ name, isBinary: binary }) => requestedOutput(name, binary)) }),
  };
  return encodeDocument(
    fields,
    'inputs',
    inputs.map((tensor) => ({ tensor, isBinary })),
  );
}

/** Throws a ProtocolError only. */
export function decodeResponse(document: EncodedDocument): InferResponse {
  const { fields, tensors } = decodeDocument(document, 'outputs');
  return {
    modelName: readString(fields, 'model_name'),
    modelVersion: readString(fields, 'model_version'),
    id: readString(fields, 'id'),
    parameters: readParameters(fields.parameters),
    outputs: tensors,
  };
}

/** `isBinary` says for each output how it travels. */
export function encodeResponse(
  { modelName, modelVersion, id, parameters, outputs }: InferResponse,
  isBinary: (name: string) => boolean,
): EncodedDocument {
  const fields = {
    ...(modelName !== undefined && { model_name: modelName }),
    ...(modelVersion !== undefined && { model_version: modelVersion }),
    ...(id !== undefined && { id }),
    ...(Object.keys(parameters).length > 0 && { parameters }),
  };
  return encodeDocument(
    fields,
    'outputs',
    outputs.map((tensor) => ({ tensor, isBinary: isBinary(tensor.name) })),
  );
}

/** A boolean parameter; undefined when it is not given. */
export function readSwitch(parameters: Parameters, name: string): boolean | undefined {
  const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  if (value === undefined || typeof value === 'boolean') return value;
  throw new ProtocolError(`parameters.${name}: expected true or false, got ${shown(value)}`);
}

/** A parameter that is a whole number from 0; undefined when it is not given. */
export function readCount(parameters: Parameters, name: string): number | undefined {
  const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0))
    return value as number | undefined;
  throw new ProtocolError(`parameters.${name}: expected a whole number from 0, got ${shown(value)}`);
}

function requestedOutput(name: string, isBinary: boolean) {
  return { name, parameters: { binary_data: isBinary } };
}

function readOutputs(value: unknown, isBinaryOutput: boolean): RequestedOutput[] {
  if (!Array.isArray(value)) throw new ProtocolError(`outputs: expected an array, got ${shown(value)}`);
  const names = new Set<string>();
  return value.map((item, index) => {
    const { name, parameters } = objectOf(item, `outputs[${index}]`);
    if (typeof name !== 'string')
      throw new ProtocolError(`outputs[${index}].name: expected a string, got ${shown(name)}`);
    if (names.has(name)) throw new ProtocolError(`outputs: expected different names, got ${shown(name)} twice`);
    names.add(name);
    return { name, isBinary: readSwitch(readParameters(parameters), 'binary_data') ?? isBinaryOutput };
  });
}

// Values of other kinds are some server's own business (null, nested objects), and are left out.
function readParameters(value: unknown): Parameters {
  if (value === undefined || value === null) return {};
  const kinds = ['string', 'number', 'boolean'];
  return Object.fromEntries(
    Object.entries(objectOf(value, 'parameters')).filter(([, parameter]) => kinds.includes(typeof parameter)),
  ) as Parameters;
}

function readString(fields: JsonObject, name: string): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null || typeof value === 'string') return value ?? undefined;
  throw new ProtocolError(`${name}: expected a string, got ${shown(value)}`);
}
