/**
 * Documents of the protocol with their tensors: a JSON object, after it the binary data of tensors in the order of the
 * document ("binary tensor data extension" of Triton), or all of it in JSON.
 */
import type { TensorData } from '../engine.ts';
import { type BatchTensor, elementCount } from '../tensors.ts';
import { datatypeOf, findDatatype } from './datatypes.ts';
import { InexactInteger, parseExactJson, readJsonData, writeJsonData } from './json-data.ts';
import { ProtocolError, shown } from './protocol-error.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** What travels as an HTTP body. */
export interface EncodedDocument {
  readonly body: Uint8Array;
  /** For the header Inference-Header-Content-Length; null: all of it is JSON. */
  readonly jsonBytes: number | null;
}

export interface DecodedDocument {
  readonly fields: JsonObject;
  /** May be views of the body. */
  readonly tensors: readonly BatchTensor[];
}

// What JSON.parse makes of hostile brackets takes many times their memory.
const maxJsonBytes = 16 * 1024 * 1024;
const maxJsonDepth = 40;
const maxAxes = 32;
// Axes of size 0 left out: what one body can hold is far less.
const maxElements = 2 ** 28;
// Where binary data begins in a body: a multiple of the largest element, so that most tensors need no copy.
const alignment = 8;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Throws a ProtocolError only. `tensorsField` holds the tensors: "inputs" or "outputs". */
export function decodeDocument(
  { body, jsonBytes }: EncodedDocument,
  tensorsField: 'inputs' | 'outputs',
): DecodedDocument {
  const json = body.subarray(0, jsonBytes ?? body.length);
  const text = jsonText(body, json, jsonBytes);
  const binary = jsonBytes === null ? null : body.subarray(jsonBytes);
  const decode = (value: unknown) => {
    const fields = objectOf(value, 'the body');
    return { fields, tensors: decodeTensors(fields[tensorsField], tensorsField, { binary, jsonBytes: json.length }) };
  };
  const parsed = parseJson(text);
  try {
    return decode(parsed);
  } catch (error) {
    if (!(error instanceof InexactInteger)) throw error;
    return decode(parseExactJson(text));
  }
}

/** The fields and, under `tensorsField`, the tensors. Throws a ProtocolError for what JSON cannot hold. */
export function encodeDocument(
  fields: JsonObject,
  tensorsField: 'inputs' | 'outputs',
  tensors: readonly { readonly tensor: BatchTensor; readonly isBinary: boolean }[],
): EncodedDocument {
  const items = tensors.map(({ tensor, isBinary }) => {
    const { name, type, dims, data } = tensor;
    const item = { name, shape: dims, datatype: datatypeOf(type) };
    if (isBinary) return JSON.stringify({ ...item, parameters: { binary_data_size: data.byteLength } });
    return `${JSON.stringify(item).slice(0, -1)},"data":${writeJsonData(tensor)}}`;
  });
  const start = JSON.stringify(fields).slice(0, -1);
  const text = `${start}${start === '{' ? '' : ','}${JSON.stringify(tensorsField)}:[${items.join(',')}]}`;
  const binary = tensors.filter(({ isBinary }) => isBinary).map(({ tensor: { data } }) => bytesOf(data));
  if (binary.length === 0) return { body: Buffer.from(text), jsonBytes: null };
  const bytes = Buffer.byteLength(text);
  const json = Buffer.from(text + ' '.repeat((alignment - (bytes % alignment)) % alignment));
  return { body: Buffer.concat([json, ...binary]), jsonBytes: json.length };
}

/** A value that has to be a JSON object; `where` is only used for the error. */
export function objectOf(value: unknown, where: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new ProtocolError(`${where}: expected a JSON object, got ${shown(value)}`);
}

/** Parses JSON. Throws a ProtocolError. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProtocolError(`expected JSON, got ${shown(text)}`);
  }
}

function jsonText(body: Uint8Array, json: Uint8Array, jsonBytes: number | null): string {
  if (jsonBytes !== null && (!Number.isSafeInteger(jsonBytes) || jsonBytes < 0 || jsonBytes > body.length)) {
    throw new ProtocolError(
      `Inference-Header-Content-Length: expected at most the ${body.length} bytes of the body, got ${jsonBytes}`,
    );
  }
  if (json.length > maxJsonBytes) {
    throw new ProtocolError(`expected at most ${maxJsonBytes} bytes of JSON, got ${json.length}: use binary data`, 413);
  }
  checkDepth(json);
  try {
    return utf8.decode(json);
  } catch {
    throw new ProtocolError('expected JSON in UTF-8, got other bytes');
  }
}

// Before parsing: brackets outside of strings. Bytes of characters beyond ASCII are never equal to these.
function checkDepth(json: Uint8Array): void {
  const [quote, backslash, open, close, openBrace, closeBrace] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];
  let depth = 0;
  let isString = false;
  for (let index = 0; index < json.length; index++) {
    const byte = json[index];
    if (isString) {
      if (byte === backslash) index++;
      else if (byte === quote) isString = false;
    } else if (byte === quote) isString = true;
    else if (byte === open || byte === openBrace) {
      depth++;
      if (depth > maxJsonDepth) throw new ProtocolError(`expected JSON of at most ${maxJsonDepth} levels, got more`);
    } else if (byte === close || byte === closeBrace) depth--;
  }
}

interface Source {
  readonly binary: Uint8Array | null;
  readonly jsonBytes: number;
}

function decodeTensors(items: unknown, field: string, source: Source): BatchTensor[] {
  if (!Array.isArray(items)) throw new ProtocolError(`${field}: expected an array, got ${shown(items)}`);
  const names = new Set<string>();
  let offset = 0;
  const tensors = items.map((value, index) => {
    const item = objectOf(value, `${field}[${index}]`);
    const { name, shape } = item;
    if (typeof name !== 'string')
      throw new ProtocolError(`${field}[${index}].name: expected a string, got ${shown(name)}`);
    const where = `${field}[${index}] ${shown(name)}`;
    if (names.has(name)) throw new ProtocolError(`${where}: expected different names, got this one twice`);
    names.add(name);
    const { type, array } = findDatatype(item.datatype, where);
    const dims = readShape(shape, where);
    const tensor = { name, type, dims };
    const binaryBytes = binarySize(item, where);
    if (binaryBytes === undefined) return { ...tensor, data: decodeJson(item.data, tensor, where, source.jsonBytes) };
    const bytes = takeBinary(source.binary, { offset, size: binaryBytes, expected: sizeOf(dims, array) }, where);
    offset += binaryBytes;
    if (type === 'bool' && bytes.some((byte) => byte > 1)) {
      throw new ProtocolError(`${where}: expected bytes of 0 and 1, got others`);
    }
    return { ...tensor, data: elementsOf(bytes, array) };
  });
  const actual = source.binary?.length ?? 0;
  if (actual === offset) return tensors;
  throw new ProtocolError(`${field}: expected ${offset} bytes of binary data after the JSON, got ${actual}`);
}

/** undefined: the data is JSON. */
function binarySize(item: JsonObject, where: string): number | undefined {
  const parameters = item.parameters === undefined ? {} : objectOf(item.parameters, `${where}: parameters`);
  const size = Object.hasOwn(parameters, 'binary_data_size') ? parameters.binary_data_size : undefined;
  if (size === undefined) return undefined;
  if (item.data !== undefined) throw new ProtocolError(`${where}: expected data or binary_data_size, got both`);
  if (Number.isSafeInteger(size) && (size as number) >= 0) return size as number;
  throw new ProtocolError(`${where}: expected a binary_data_size of bytes, got ${shown(size)}`);
}

function takeBinary(
  binary: Uint8Array | null,
  { offset, size, expected }: { offset: number; size: number; expected: number },
  where: string,
): Uint8Array {
  if (size !== expected) {
    throw new ProtocolError(`${where}: expected a binary_data_size of ${expected} for its shape, got ${size}`);
  }
  if (binary === null) {
    throw new ProtocolError(`${where}: expected the header Inference-Header-Content-Length beside binary_data_size`);
  }
  if (offset + size > binary.length) {
    throw new ProtocolError(`${where}: expected ${size} bytes of binary data, got ${binary.length - offset}`);
  }
  return binary.subarray(offset, offset + size);
}

function decodeJson(
  data: unknown,
  { type, dims }: Pick<BatchTensor, 'type' | 'dims'>,
  where: string,
  jsonBytes: number,
): TensorData {
  const count = elementCount(dims);
  // Before anything is allocated: a shape may say what it wants, but each element is at least a byte of JSON.
  if (count > jsonBytes) {
    throw new ProtocolError(`${where}: expected ${count} elements for shape [${dims.join(', ')}], got less`);
  }
  return readJsonData(data, { type, shape: dims, where });
}

function readShape(shape: unknown, where: string): number[] {
  const isShape =
    Array.isArray(shape) &&
    shape.length <= maxAxes &&
    shape.every((size) => Number.isSafeInteger(size) && size >= 0) &&
    shape.reduce((product, size) => product * Math.max(1, size), 1) <= maxElements;
  if (isShape) return shape;
  const got = Array.isArray(shape) ? `[${shape.slice(0, 8).map(shown).join(', ')}]` : shown(shape);
  throw new ProtocolError(`${where}: expected a shape of sizes, at most ${maxElements} elements in all, got ${got}`);
}

type ArrayOfType = ReturnType<typeof findDatatype>['array'];

function sizeOf(dims: readonly number[], array: ArrayOfType): number {
  return elementCount(dims) * array.BYTES_PER_ELEMENT;
}

// The bytes are little endian, as is every machine that onnxruntime-node is built for.
function elementsOf(bytes: Uint8Array, array: ArrayOfType): TensorData {
  const { buffer, byteOffset, length } = bytes;
  const count = length / array.BYTES_PER_ELEMENT;
  if (byteOffset % array.BYTES_PER_ELEMENT === 0) return new array(buffer, byteOffset, count);
  return new array(Uint8Array.from(bytes).buffer, 0, count);
}

function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
