/** Whether an ONNX model leaves weights to other files: as much of protobuf as that question needs. */

// Fields of ModelProto, GraphProto and TensorProto.
const graphField = 7;
const initializerField = 5;
const dataLocationField = 14;
const externalLocation = 1;

interface Field {
  readonly number: number;
  /** Of an integer; 0 for other kinds. */
  readonly value: number;
  /** Of a message or bytes; nothing for other kinds. */
  readonly start: number;
  readonly end: number;
}

/** False also for bytes that are no model, of which the runtime says what is wrong. Reads no weights. */
export function hasExternalData(model: Uint8Array): boolean {
  for (const graph of fieldsOf(model, 0, model.length)) {
    if (graph.number !== graphField) continue;
    for (const tensor of fieldsOf(model, graph.start, graph.end)) {
      if (tensor.number !== initializerField) continue;
      for (const { number, value } of fieldsOf(model, tensor.start, tensor.end)) {
        if (number === dataLocationField && value === externalLocation) return true;
      }
    }
  }
  return false;
}

// Ends where the bytes are no fields any more.
function* fieldsOf(bytes: Uint8Array, start: number, end: number): Generator<Field> {
  for (let at = start; at < end; ) {
    const tag = readVarint(bytes, at);
    const wireType = tag.value % 8;
    const number = Math.floor(tag.value / 8);
    const integer = wireType === 0 || wireType === 2 ? readVarint(bytes, tag.end) : { value: 0, end: tag.end };
    const length = wireType === 2 ? integer.value : wireType === 1 ? 8 : wireType === 5 ? 4 : 0;
    if (wireType === 3 || wireType === 4 || wireType > 5 || integer.end + length > end) return;
    yield { number, value: wireType === 0 ? integer.value : 0, start: integer.end, end: integer.end + length };
    at = integer.end + length;
  }
}

function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  let end = start;
  for (let factor = 1; end < bytes.length; factor *= 128) {
    const byte = bytes[end++]!;
    value += (byte % 128) * factor;
    if (byte < 128) break;
  }
  return { value, end };
}
