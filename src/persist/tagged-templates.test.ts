// biome-ignore-all lint/suspicious/noTemplateCurlyInString: sources of clients hold templates
import { describe, expect, test } from 'vitest';
import { readTaggedTemplates } from './tagged-templates.ts';

const textsIn = (source: string) => readTaggedTemplates(source).templates.map(({ text }) => text.trim());

describe('tagged templates', () => {
  test.each([
    ['gql`{ a }`'],
    ['graphql`{ a }`'],
    ['const a = gql /* why */ `{ a }`;'],
    ['graphql(`{ a }`)'],
    ['useQuery(gql(`{ a }`), 1)'],
    ['Relay.graphql`{ a }`'],
    ['/* GraphQL */ `{ a }`'],
    ['f(/*graphql*/`{ a }`)'],
    ['`plain ${gql`{ a }`}`'],
    ['`${{ a: `}` }.a}${gql`{ a }`}`'],
    ['if (x) { y } } gql`{ a }`'],
    ['/[`"]/.test(x) && gql`{ a }`'],
    ['return /`/g; gql`{ a }`'],
    ['a / b; gql`{ a }`; c / d'],
    ['(a) / `x`.length; gql`{ a }`'],
    ['const a = "`"; gql`{ a }`'],
    ["// don't `\ngql`{ a }`"],
    ["<p>Don't</p>;\ngql`{ a }`"],
    ['<br /><a href="/">`</a>`; gql`{ a }`'],
  ])('are found in %s', (source) => {
    expect(textsIn(source)).toEqual(['{ a }']);
  });

  test.each([
    ['`{ a }`'],
    ['css`{ a }`'],
    ['mygql`{ a }`'],
    ['"gql`{ a }`"'],
    ['// gql`{ a }`'],
    ['/* gql`{ a }` */'],
    ['gql` `'],
    ['/* GraphQL */ x; `{ a }`'],
    ['/gql`{ a }`/'],
  ])('are not found in %s', (source) => {
    expect(readTaggedTemplates(source)).toMatchObject({ templates: [], unreadable: [] });
  });

  test('know their lines, also behind interpolations', () => {
    const source =
      '\n\nconst a = gql`\n  query A { a ...F }\n  ${\n    F\n  }\n  fragment G on T { b }\n`;\ngql`{ b }`';
    const { templates } = readTaggedTemplates(source);
    expect(templates.map(({ line }) => line)).toEqual([3, 10]);
    expect(templates[0]!.text.split('\n').findIndex((line) => line.includes('fragment G'))).toBe(5);
    expect(templates[0]!.text).not.toContain('$');
  });

  test('mean what their escapes stand for', () => {
    expect(textsIn('gql`{ a(b: "\\`\\${c}\\\\n", d: $e, f: "\\u0041") }`')).toEqual([
      '{ a(b: "`${c}\\n", d: $e, f: "\\u0041") }',
    ]);
  });

  test.each([
    ['gql`{ a ${b} }`', '${b}'],
    ['gql`query A(${b}) { a }`', '${b}'],
    ['gql`query A ${b} { a }`', '${b}'],
    ['gql`{ a } ${b()}`', '${b()}'],
    ['gql`{ a } # }\n { c ${b} }`', '${b}'],
    ['gql`{ a(c: "}") { ${b} } }`', '${b}'],
    ['gql`{ a { c } ${b} }`', '${b}'],
    ['gql`{ a { c } # }\n ${b} }`', '${b}'],
    ['gql`{ a(c: "}") { d } ${b} }`', '${b}'],
  ])('%s is not readable', (source, hole) => {
    const { templates, unreadable } = readTaggedTemplates(source);
    expect(templates).toEqual([]);
    expect(unreadable[0]!.message).toContain(hole);
  });
});
