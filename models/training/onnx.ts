/** Writes ONNX models: the few protobuf messages that a small graph needs, without a dependency. */

/** TensorProto.DataType of the element types used here. */
export const onnxTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type OnnxType = keyof typeof onnxTypes;
export type OnnxAttribute = { int: number } | { ints: readonly number[] } | { float: number };

export interface OnnxNode {
  operator: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes?: Readonly<Record<string, OnnxAttribute>>;
}
export interface OnnxTensor {
  name: string;
  type: OnnxType;
  shape: readonly number[];
  data: ArrayBufferView;
}
/** A graph input or output; strings in the shape name dynamic axes. */
export interface OnnxValue {
  name: string;
  type: OnnxType;
  shape: readonly (number | string)[];
}
export interface OnnxGraph {
  name: string;
  nodes: readonly OnnxNode[];
  constants: readonly OnnxTensor[];
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
}

// IR version 8 is the one that came with operator set 17.
const irVersion = 8;
const operatorSet = 17;
const lengthDelimited = 2;
const fixed32 = 5;
const attributeType = { float: 1, int: 2, ints: 7 } as const;
const encoder = new TextEncoder();

/** Bytes of model.onnx for a graph, operator set 17. Equal graphs give equal bytes. */
export function writeOnnx(graph: OnnxGraph): Uint8Array {
  const model = new Message()
    .integer(1, irVersion)
    .text(2, 'tributary')
    .message(7, writeGraph(graph))
    .message(8, new Message().integer(2, operatorSet));
  return model.toBytes();
}

/** A one-dimensional constant of 64-bit integers, as axes and shapes are. */
export function int64Constant(name: string, values: readonly number[]): OnnxTensor {
  return { name, type: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) };
}

function writeGraph(graph: OnnxGraph): Message {
  const message = new Message();
  for (const node of graph.nodes) message.message(1, writeNode(node));
  message.text(2, graph.name);
  for (const tensor of graph.constants) message.message(5, writeTensor(tensor));
  for (const input of graph.inputs) message.message(11, writeValue(input));
  for (const output of graph.outputs) message.message(12, writeValue(output));
  return message;
}

function writeNode(node: OnnxNode): Message {
  const message = new Message();
  for (const input of node.inputs) message.text(1, input);
  for (const output of node.outputs) message.text(2, output);
  message.text(3, `${node.operator}_${node.outputs[0]}`).text(4, node.operator);
  for (const [name, attribute] of Object.entries(node.attributes ?? {})) {
    message.message(5, writeAttribute(name, attribute));
  }
  return message;
}

function writeAttribute(name: string, attribute: OnnxAttribute): Message {
  const message = new Message().text(1, name);
  if ('float' in attribute) return message.float(2, attribute.float).integer(20, attributeType.float);
  if ('int' in attribute) return message.integer(3, attribute.int).integer(20, attributeType.int);
  for (const value of attribute.ints) message.integer(8, value);
  return message.integer(20, attributeType.ints);
}

function writeTensor(tensor: OnnxTensor): Message {
  const message = new Message();
  for (const size of tensor.shape) message.integer(1, size);
  const { buffer, byteOffset, byteLength } = tensor.data;
  return message
    .integer(2, onnxTypes[tensor.type])
    .text(8, tensor.name)
    .bytes(9, new Uint8Array(buffer, byteOffset, byteLength));
}

function writeValue(value: OnnxValue): Message {
  const shape = new Message();
  for (const size of value.shape) {
    const dimension = typeof size === 'string' ? new Message().text(2, size) : new Message().integer(1, size);
    shape.message(1, dimension);
  }
  const tensorType = new Message().integer(1, onnxTypes[value.type]).message(2, shape);
  return new Message().text(1, value.name).message(2, new Message().message(1, tensorType));
}

/** One protobuf message under construction; parts are joined only once, in toBytes. */
class Message {
  #parts: Uint8Array[] = [];
  #length = 0;

  integer(field: number, value: number): this {
    return this.#varint(field << 3).#varint(value);
  }

  float(field: number, value: number): this {
    return this.#varint((field << 3) | fixed32).#append(new Uint8Array(new Float32Array([value]).buffer));
  }

  text(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#varint((field << 3) | lengthDelimited)
      .#varint(value.length)
      .#append(value);
  }

  message(field: number, value: Message): this {
    this.#varint((field << 3) | lengthDelimited).#varint(value.#length);
    this.#parts.push(...value.#parts);
    this.#length += value.#length;
    return this;
  }

  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    return bytes;
  }

  #varint(value: number): this {
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    do {
      const low = Number(rest & 127n);
      rest >>= 7n;
      bytes.push(rest > 0n ? low | 128 : low);
    } while (rest > 0n);
    return this.#append(Uint8Array.from(bytes));
  }

  #append(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }
}
