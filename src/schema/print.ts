import { readFile, writeFile } from 'node:fs/promises';
import {
  isInterfaceType,
  isObjectType,
  Kind,
  lexicographicSortSchema,
  parse,
  print,
  printSchema,
  valueToLiteral,
} from 'graphql';
import { schema } from './index.ts';
import { directivesOf, policyOf, typePolicyOf } from './policy.ts';

/** `npm run schema` writes schema.graphql; with --check it only compares. */
const path = new URL('../../schema.graphql', import.meta.url);
const printed = `${withDirectives(printSchema(lexicographicSortSchema(schema)))}\n`;

if (process.argv.includes('--check')) {
  if ((await readFile(path, 'utf8').catch(() => '')) !== printed) {
    console.error('schema.graphql is not what the code says: run `npm run schema` and commit it');
    process.exitCode = 1;
  }
} else {
  await writeFile(path, printed);
}

/** graphql prints no directives: each goes behind the field or type that states it. */
function withDirectives(sdl: string): string {
  let text = '';
  let done = 0;
  for (const definition of parse(sdl).definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const type = schema.getType(definition.name.value);
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    const head = (definition.interfaces?.at(-1) ?? definition.name).loc!.end;
    text += sdl.slice(done, head) + printDirectives(directivesOf(typePolicyOf(type)));
    done = head;
    for (const { name, loc } of definition.fields ?? []) {
      text += sdl.slice(done, loc!.end) + printDirectives(directivesOf(policyOf(type.getFields()[name.value]!)));
      done = loc!.end;
    }
  }
  return text + sdl.slice(done);
}

function printDirectives(directives: Record<string, object>): string {
  return Object.entries(directives)
    .map(([name, values]) => {
      const { args } = schema.getDirective(name)!;
      const given = Object.entries(values).map(([argument, value]) => {
        const { type } = args.find((candidate) => candidate.name === argument)!;
        return `${argument}: ${print(valueToLiteral(value, type)!)}`;
      });
      return ` @${name}(${given.join(', ')})`;
    })
    .join('');
}
