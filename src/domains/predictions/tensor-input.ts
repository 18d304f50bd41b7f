/** Tensors of a client against what a model takes, and as rows of the engine. Pure. */
import { badUserInput, type InputIssue } from '../../errors.ts';
import type { Row, TensorData } from '../../inference/engine.ts';
import type { TensorSpec } from '../../inference/manifest.ts';
import { elementCount } from '../../inference/tensors.ts';
import { readValues, type TensorValue } from './tensor-values.ts';

/** As a client gives it: the batch axis first, elements in row-major order. */
export interface TensorInput {
  name: string;
  shape: readonly number[];
  values: readonly TensorValue[];
}

/** Of one request. */
export const maxTensorRows = 1_024;
export const maxTensorElements = 262_144;
const maxIssues = 20;

/**
 * The rows of tensors that fit the inputs of a model; at least one.
 * @throws BAD_USER_INPUT naming each fault by its path, such as inputs.0.values.3
 */
export function readRows(specs: readonly TensorSpec[], inputs: readonly TensorInput[]): Row[] {
  refuse(wrongNames(specs, inputs));
  const given = inputs.map((input) => ({ input, spec: specs.find(({ name }) => name === input.name)! }));
  refuse(wrongShapes(given));
  refuse(wrongCounts(inputs));
  const issues: InputIssue[] = [];
  const tensors = given.map(({ input, spec }, at) => {
    const data = readValues(spec.type, input.values);
    if (!Array.isArray(data)) return { name: input.name, data, dims: input.shape.slice(1) };
    issues.push(...data.map(({ index, message }) => ({ path: `inputs.${at}.values.${index}`, message })));
    return null;
  });
  refuse(issues);
  return cutRows(
    tensors.filter((tensor) => tensor !== null),
    inputs[0]!.shape[0]!,
  );
}

/** A shape as messages write it: "[batch, 3]". */
export function showShape(shape: readonly (number | string)[]): string {
  return `[${shape.slice(0, 16).join(', ')}${shape.length > 16 ? ', ...' : ''}]`;
}

interface GivenTensor {
  input: TensorInput;
  spec: TensorSpec;
}

function wrongNames(specs: readonly TensorSpec[], inputs: readonly TensorInput[]): InputIssue[] {
  const names = specs.map(({ name }) => name);
  const seen = new Set<string>();
  const issues = inputs.flatMap(({ name }, at): InputIssue[] => {
    const isKnown = names.includes(name);
    if (isKnown && !seen.has(name)) {
      seen.add(name);
      return [];
    }
    const got = isKnown ? `${name} twice` : JSON.stringify(name.slice(0, 40));
    return [
      { path: `inputs.${at}.name`, message: `expected ${isKnown ? 'each' : 'one'} of ${names.join(', ')}, got ${got}` },
    ];
  });
  if (issues.length > 0) return issues;
  return specs
    .filter(({ name }) => !seen.has(name))
    .map(({ name, type, shape }) => ({
      path: 'inputs',
      message: `expected also the tensor ${name}, ${type.toUpperCase()} ${showShape(shape)}, got none`,
    }));
}

/** Every axis has the size that the model states, or that the first axis of the same name has here. */
function wrongShapes(given: readonly GivenTensor[]): InputIssue[] {
  const sizes = new Map<string, { size: number; input: string }>();
  return given.flatMap(({ input: { name, shape }, spec }, at): InputIssue[] => {
    const path = `inputs.${at}.shape`;
    const negative = shape.findIndex((size) => size < 0);
    if (negative >= 0) {
      return [{ path: `${path}.${negative}`, message: `expected a size of 0 or more, got ${shape[negative]}` }];
    }
    if (shape.length !== spec.shape.length) {
      return [
        { path, message: `expected the ${spec.shape.length} axes ${showShape(spec.shape)}, got ${showShape(shape)}` },
      ];
    }
    const rows = shape[0]!;
    if (rows < 1 || rows > maxTensorRows) {
      return [{ path: `${path}.0`, message: `expected 1 to ${maxTensorRows} rows, got ${rows}` }];
    }
    return spec.shape.flatMap((axis, index): InputIssue[] => {
      const size = shape[index]!;
      if (typeof axis === 'string' && !sizes.has(axis)) sizes.set(axis, { size, input: name });
      const known = typeof axis === 'number' ? { size: axis, input: null } : sizes.get(axis)!;
      if (known.size === size) return [];
      const why = known.input === null ? '' : `, the ${axis} of ${known.input}`;
      return [{ path: `${path}.${index}`, message: `expected ${known.size}${why}, got ${size}` }];
    });
  });
}

function wrongCounts(inputs: readonly TensorInput[]): InputIssue[] {
  const total = inputs.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  if (total > maxTensorElements) {
    return [{ path: 'inputs', message: `expected at most ${maxTensorElements} elements in all, got ${total}` }];
  }
  return inputs.flatMap(({ shape, values }, at): InputIssue[] => {
    const count = elementCount(shape);
    if (values.length === count) return [];
    const message = `expected ${count} values for the shape ${showShape(shape)}, got ${values.length}`;
    return [{ path: `inputs.${at}.values`, message }];
  });
}

function cutRows(tensors: readonly { name: string; data: TensorData; dims: number[] }[], rows: number): Row[] {
  return Array.from({ length: rows }, (_, index) =>
    Object.fromEntries(
      tensors.map(({ name, data, dims }) => {
        const size = elementCount(dims);
        return [name, { data: data.subarray(index * size, (index + 1) * size), dims }];
      }),
    ),
  );
}

function refuse(issues: readonly InputIssue[]): void {
  if (issues.length > 0) throw badUserInput(...(issues.slice(0, maxIssues) as [InputIssue, ...InputIssue[]]));
}
