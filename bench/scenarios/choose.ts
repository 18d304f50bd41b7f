import { StartupError } from '../../src/errors.ts';

/**
 * Those whose names begin with one of the texts, in their own order; all when none is given.
 * @throws StartupError naming a text with which no name begins, and all names
 */
export function chooseByName<Named extends { readonly name: string }>(
  all: readonly Named[],
  beginnings: readonly string[] = [],
): Named[] {
  for (const text of beginnings) {
    if (all.some(({ name }) => name.startsWith(text))) continue;
    const names = all.map(({ name }) => JSON.stringify(name)).join(', ');
    throw new StartupError(`--only is ${JSON.stringify(text)}: expected the beginning of one of ${names}`);
  }
  return all.filter(({ name }) => beginnings.length === 0 || beginnings.some((text) => name.startsWith(text)));
}
