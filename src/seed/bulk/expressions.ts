/** SQL expressions that turn the number of a row into its values: the same number, the same values. */
import { type SQL, sql } from 'drizzle-orm';

/** A number in [0, 1) from a row's number; another salt gives an unrelated one. */
export function share(row: SQL, salt: number): SQL {
  // 52 bits of a 64-bit hash, exact in a double.
  return sql`((hashint8extended(${row}, ${sql.raw(String(salt))}) & 4503599627370495) / 4503599627370496.0::float8)`;
}

/** A whole number from 0 to `count` - 1. */
export function choice(row: SQL, salt: number, count: SQL): SQL {
  return sql`floor(${share(row, salt)} * ${count})::integer`;
}

/** An exponential time with this mean, in milliseconds. */
export function waitMs(row: SQL, salt: number, meanDays: number): SQL {
  return sql`(-ln(1 - ${share(row, salt)}) * ${sql.raw(String(meanDays * 86_400_000))})`;
}

/** A standard normal number; takes this salt and the next. */
export function gauss(row: SQL, salt: number): SQL {
  return sql`(sqrt(-2 * ln(1 - ${share(row, salt)})) * cos(2 * pi() * ${share(row, salt + 1)}))`;
}

/** The UUIDv7 of a whole millisecond, its other bits from the row's number. */
export function idAtMs(ms: SQL, row: SQL, salt: number): SQL {
  const hex = (offset: number) => sql`to_hex(hashint8extended(${row}, ${sql.raw(String(salt + offset))}))`;
  return sql`(lpad(to_hex(${ms}), 12, '0') || '7' || right(lpad(${hex(0)}, 16, '0'), 3)
    || substr('89ab', 1 + (hashint8extended(${row}, ${sql.raw(String(salt + 2))}) & 3)::integer, 1)
    || right(lpad(${hex(1)}, 16, '0'), 15))::uuid`;
}

/** A whole millisecond as a time. */
export function timeAtMs(ms: SQL): SQL {
  return sql`to_timestamp(${ms} / 1000.0::float8)`;
}

/** The entry of a list of ten for a row, as placeAt of scale.ts says. */
export function countAt(row: SQL, counts: readonly number[]): SQL {
  return sql`(${sql.raw(`array[${counts.join(',')}]`)})[1 + (${row} + 3 * (${row} / 10)) % 10]`;
}
