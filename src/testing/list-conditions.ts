/** Conditions of the plain statements that lists are compared with, out of a wish: null where it wishes nothing. */
import { encodeGlobalId } from '../schema/global-id.ts';
import type { Wish } from './random-rows.ts';

export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export const identityOf = (type: string) => ({ field: 'id', sql: `'${type}:' || id` });
export const userIdOf = (user: string | null) => user && encodeGlobalId('User', user);
export const orderOf = (field: string, wish: Wish) => ({ field, direction: wish.isDescending ? 'DESC' : 'ASC' });
export const isOneOf = (column: string, values: string[] | null) =>
  values && `${column} in (${values.map(quote).join(', ')})`;
export const is = (column: string, value: string | null) => value && `${column} = ${quote(value)}`;
export const isWithin = (column: string, range: Wish['range']) =>
  range && `${column} >= ${quote(range.from)} and ${column} < ${quote(range.to)}`;
export const all = (...conditions: (string | null)[]) => conditions.filter((condition) => condition !== null);
