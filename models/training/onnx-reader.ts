/** Reads ONNX models as far as they can be written again by onnx.ts; anything else is refused by name. */
import {
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  onnxTypes,
} from './onnx.ts';

type Field = { number: number; integer: bigint; bytes: Uint8Array };
type Value = OnnxGraph['inputs'][number];

const operatorSet = 17;
const decoder = new TextDecoder();
const none = new Uint8Array(0);
const typeNames = new Map<number, OnnxType>(
  Object.entries(onnxTypes).map(([name, number]) => [number, name as OnnxType]),
);
const arrays = {
  float32: Float32Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
  float16: Uint16Array,
} as const;

/** The graph of a model.onnx. Throws an Error of one line that names the operator, tensor or version not supported. */
export function readOnnx(bytes: Uint8Array): OnnxGraph {
  const model = readFields(bytes);
  for (const entry of messages(model, 8)) {
    const [domain, version] = [text(entry, 1), Number(integer(entry, 2))];
    if (domain === '' && version !== operatorSet) {
      throw new Error(`expected operator set ${operatorSet}, got ${version}`);
    }
  }
  const graph = messages(model, 7)[0];
  if (graph === undefined) throw new Error('expected an ONNX model, got none');
  if (has(model, 25) || has(graph, 15)) throw new Error('functions and sparse tensors cannot be read');
  const constants = messages(graph, 5).map(readTensor);
  const nodes: OnnxNode[] = [];
  for (const fields of messages(graph, 1)) {
    const node = readNode(fields);
    if (node.operator === 'Constant') constants.push(readConstant(fields));
    else nodes.push(node);
  }
  // Old files list constants among the inputs as well.
  const inputs = messages(graph, 11)
    .map(readValue)
    .filter(({ name }) => !constants.some((constant) => constant.name === name));
  return { name: text(graph, 2), nodes, constants, inputs, outputs: messages(graph, 12).map(readValue) };
}

function readNode(fields: readonly Field[]): OnnxNode {
  const operator = text(fields, 4);
  const domain = text(fields, 7);
  if (domain !== '' && domain !== 'ai.onnx') {
    throw new Error(`operator ${operator} of ${domain}: only standard operators can be read`);
  }
  const attributes: Record<string, OnnxAttribute> = {};
  for (const attribute of operator === 'Constant' ? [] : messages(fields, 5)) {
    attributes[text(attribute, 1)] = readAttribute(operator, attribute);
  }
  return { operator, inputs: texts(fields, 1), outputs: texts(fields, 2), attributes };
}

function readAttribute(operator: string, fields: readonly Field[]): OnnxAttribute {
  const type = Number(integer(fields, 20));
  if (type === 1) return { float: new DataView(new Uint8Array(first(fields, 2)!.bytes).buffer).getFloat32(0, true) };
  if (type === 2) return { int: Number(integer(fields, 3)) };
  if (type === 7) return { ints: integers(fields, 8) };
  throw new Error(`operator ${operator}: attribute ${text(fields, 1)}: only numbers and lists of integers can be read`);
}

/** A Constant node as a constant of the graph. */
function readConstant(fields: readonly Field[]): OnnxTensor {
  const name = texts(fields, 2)[0]!;
  const tensor = messages(fields, 5).flatMap((attribute) =>
    text(attribute, 1) === 'value' ? messages(attribute, 5) : [],
  );
  if (tensor[0] === undefined) throw new Error(`operator Constant: ${name}: expected a tensor as its value`);
  return { ...readTensor(tensor[0]), name };
}

function readTensor(fields: readonly Field[]): OnnxTensor {
  const name = text(fields, 8);
  const type = readType(integer(fields, 2), name);
  const shape = integers(fields, 1);
  const raw = first(fields, 9)?.bytes ?? none;
  const elements = shape.reduce((product, size) => product * size, 1);
  const array = arrays[type];
  if (raw.length !== elements * array.BYTES_PER_ELEMENT) {
    throw new Error(`tensor ${name}: expected ${elements} elements as raw data in the file itself`);
  }
  return { name, type, shape, data: new array(new Uint8Array(raw).buffer) };
}

function readValue(fields: readonly Field[]): Value {
  const name = text(fields, 1);
  const tensor = messages(fields, 2).flatMap((type) => messages(type, 1))[0];
  if (tensor === undefined) throw new Error(`${name}: expected a tensor`);
  const shape = messages(tensor, 2).flatMap((own) => messages(own, 1).map((size, axis) => readSize(size, axis)));
  return { name, type: readType(integer(tensor, 1), name), shape };
}

function readSize(fields: readonly Field[], axis: number): number | string {
  return has(fields, 1) ? Number(integer(fields, 1)) : text(fields, 2) || `axis_${axis}`;
}

function readType(number: bigint, name: string): OnnxType {
  const type = typeNames.get(Number(number));
  if (type === undefined) throw new Error(`${name}: elements of ONNX type ${number} cannot be read`);
  return type;
}

function first(fields: readonly Field[], number: number): Field | undefined {
  return fields.find((field) => field.number === number);
}

function has(fields: readonly Field[], number: number): boolean {
  return first(fields, number) !== undefined;
}

function integer(fields: readonly Field[], number: number): bigint {
  return first(fields, number)?.integer ?? 0n;
}

function text(fields: readonly Field[], number: number): string {
  return decoder.decode(first(fields, number)?.bytes ?? none);
}

function texts(fields: readonly Field[], number: number): string[] {
  return fields.filter((field) => field.number === number).map(({ bytes }) => decoder.decode(bytes));
}

function messages(fields: readonly Field[], number: number): Field[][] {
  return fields.filter((field) => field.number === number).map(({ bytes }) => readFields(bytes));
}

// One field for each, or all of them packed into one.
function integers(fields: readonly Field[], number: number): number[] {
  return fields
    .filter((field) => field.number === number)
    .flatMap(({ integer: own, bytes }) => (bytes === none ? [own] : readPacked(bytes)))
    .map((value) => Number(BigInt.asIntN(64, value)));
}

function readPacked(bytes: Uint8Array): bigint[] {
  const values: bigint[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { value, end } = readVarint(bytes, at);
    values.push(value);
    at = end;
  }
  return values;
}

/** The fields of a protobuf message, in their order. */
function readFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { value: tag, end: start } = readVarint(bytes, at);
    const number = Number(tag >> 3n);
    const wireType = Number(tag & 7n);
    if (wireType === 0) {
      const { value, end } = readVarint(bytes, start);
      fields.push({ number, integer: BigInt.asIntN(64, value), bytes: none });
      at = end;
      continue;
    }
    const length = lengthOf(bytes, start, wireType);
    at = length.from + length.bytes;
    if (at > bytes.length) throw new Error('expected an ONNX model, got a file that is cut off');
    fields.push({ number, integer: 0n, bytes: bytes.subarray(length.from, at) });
  }
  return fields;
}

function lengthOf(bytes: Uint8Array, start: number, wireType: number): { from: number; bytes: number } {
  if (wireType === 1) return { from: start, bytes: 8 };
  if (wireType === 5) return { from: start, bytes: 4 };
  if (wireType !== 2) throw new Error('expected an ONNX model, got a file of another kind');
  const { value, end } = readVarint(bytes, start);
  return { from: end, bytes: Number(value) };
}

function readVarint(bytes: Uint8Array, start: number): { value: bigint; end: number } {
  let value = 0n;
  for (let at = start, shift = 0n; at < bytes.length && shift < 70n; at++, shift += 7n) {
    value |= BigInt(bytes[at]! & 127) << shift;
    if (bytes[at]! < 128) return { value, end: at + 1 };
  }
  throw new Error('expected an ONNX model, got a file that is cut off');
}
