import { type Column, getTableColumns, is, Placeholder, type SQL, sql, type Table } from 'drizzle-orm';
import { PgDialect } from 'drizzle-orm/pg-core';
import type { Database, Statement, Value } from './database.ts';
import {
  type FootprintOptions,
  footprintOf,
  readsByAnswer,
  tagsOfAnswered,
  tagsOfReads,
  tagsOfWrites,
} from './footprint.ts';

const dialect = new PgDialect();

export interface StatementOptions extends FootprintOptions {
  /** It answers only rows that are public, by the column is_public. Default: false. */
  readonly isPublic?: boolean;
  /** Default: true. */
  readonly isPrepared?: boolean;
  /**
   * The arguments that bound its rows, which an index finds: a list by its length, a number by itself, several by their
   * product. Default: nothing bounds them.
   */
  readonly boundedBy?: readonly string[] | undefined;
}

/** A statement compiled once: `run` binds its named arguments and answers its rows. */
export interface CompiledStatement<Row> extends Statement {
  /** The argument name of $1, $2 …; one name may stand at several places. */
  readonly parameters: readonly string[];
  run(database: Database, values: Readonly<Record<string, Value>>): Promise<Row[]>;
}

/** A named argument of a statement; `run` takes its value by this name. */
export function arg(name: string): Placeholder {
  return sql.placeholder(name);
}

/**
 * A named argument whose value plans do not see, for statements of which one plan fits all values. Postgres (18) takes a
 * list of few, or a limit of 20, for cheaper than the unknown one that a kept plan is made for, and plans each run anew: 250 µs
 * instead of 180 for a page of features, 338 instead of 140 for one feature and its owner by an array of one id.
 * @param type as the argument has it
 */
export function unseenArg(name: string, type: 'uuid[]' | 'bigint'): SQL {
  return sql`(select ${arg(name)}::${sql.raw(type)})`;
}

/**
 * Compiles a statement when its module loads, so that a request pays for binding only.
 * The name stands in front of the text as a comment: database logs and pg_stat_statements then point at the function.
 */
export function statement<Row>(name: string, query: SQL, options: StatementOptions = {}): CompiledStatement<Row> {
  const compiled = dialect.sqlToQuery(query);
  const parameters = compiled.params.map((parameter) => {
    if (!is(parameter, Placeholder))
      throw new TypeError(`${name}: every value must be an arg(), got ${typeof parameter}`);
    return parameter.name;
  });
  if (options.isPublic && !/\bwhere\b.*\bis_public\b/is.test(compiled.sql)) {
    throw new TypeError(`${name}: expected a condition on is_public`);
  }
  const isReading = isRead(compiled.sql);
  const footprint = footprintOf(query, isReading, options);
  const organizationIndex = parameters.indexOf('organizationId');
  const argumentOf = (values: readonly Value[]) => (argument: string) => values[parameters.indexOf(argument)]!;
  const organizationOf = (values: readonly Value[]) => String(values[organizationIndex] ?? '');
  const text = `/* ${name} */ ${compiled.sql.replace(/\s+/g, ' ').trim()}`;
  const self: CompiledStatement<Row> = {
    name,
    text,
    isPrepared: options.isPrepared ?? true,
    isRead: isReading,
    mostRows: options.boundedBy && boundOf(name, parameters, options.boundedBy),
    organizationIndex,
    isPublic: options.isPublic ?? false,
    readTags: (values) => tagsOfReads(footprint, organizationOf(values), argumentOf(values)),
    answeredTags: readsByAnswer(footprint)
      ? (values, rows) => tagsOfAnswered(footprint, organizationOf(values), argumentOf(values), rows)
      : undefined,
    writtenTags: (values, rows) => tagsOfWrites(footprint, organizationOf(values), argumentOf(values), rows),
    parameters,
    run: (database, values) => database.run<Row>(self, bind(self, values)),
  };
  return self;
}

/**
 * A statement whose text depends on a shape (which filters are set, which order): each shape is compiled once and is
 * its own prepared statement. A shape must have finitely many values, so it never holds a value of the request.
 * @param keyOf tells shapes apart; default: their JSON, for statements that are not of every request
 */
export function statementByShape<Shape, Row>(
  name: string,
  build: (shape: Shape) => SQL,
  optionsOf: StatementOptions | ((shape: Shape) => StatementOptions) = {},
  keyOf: (shape: Shape) => string = JSON.stringify,
): (shape: Shape) => CompiledStatement<Row> {
  const compiled = new Map<string, CompiledStatement<Row>>();
  return (shape) => {
    const key = keyOf(shape);
    const known = compiled.get(key);
    if (known) return known;
    const options = typeof optionsOf === 'function' ? optionsOf(shape) : optionsOf;
    const made = statement<Row>(name, build(shape), options);
    compiled.set(key, made);
    return made;
  };
}

/** The select list of a table's columns, or of the properties named, each under its property name. */
export function columns(table: Table, properties?: readonly string[]): SQL {
  const entries = Object.entries(getTableColumns(table)).filter(([property]) => properties?.includes(property) ?? true);
  return sql.join(
    entries.map(([property, column]) => sql`${column} as ${sql.identifier(property)}`),
    sql`, `,
  );
}

/** A column's bare name, as insert lists and set clauses want it. */
export function bare(...list: Column[]): SQL {
  return sql.join(
    list.map((column) => sql.identifier(column.name)),
    sql`, `,
  );
}

/** In doubt a statement counts as a write: those are not run twice. */
function isRead(text: string): boolean {
  return /^\s*(?:select|with)\b/i.test(text) && !/\b(?:insert|update|delete|merge|truncate|into|for)\b/i.test(text);
}

function boundOf(
  name: string,
  parameters: readonly string[],
  boundedBy: readonly string[],
): (values: readonly Value[]) => number {
  const indices = boundedBy.map((argument) => parameters.indexOf(argument));
  // What is not there would bound nothing, and a long statement pass for a short one.
  if (indices.includes(-1)) throw new TypeError(`${name}: expected to be bounded by some of ${parameters.join(', ')}`);
  return (values) => {
    let bound = 1;
    for (const index of indices) {
      const value = values[index]!;
      if (typeof value === 'number') bound *= value;
      else if (typeof value === 'object') bound *= value!.length;
    }
    return bound;
  };
}

function bind({ name, parameters }: CompiledStatement<unknown>, values: Readonly<Record<string, Value>>): Value[] {
  const bound: Value[] = [];
  for (const parameter of parameters) {
    const value = values[parameter];
    if (value === undefined) throw new TypeError(`${name}: no value for ${parameter}`);
    bound.push(value);
  }
  return bound;
}
