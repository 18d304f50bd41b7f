/** A document in the source of a client: gql`…`, graphql`…`, either with brackets, or after a comment GraphQL. */
export interface TaggedTemplate {
  /** Without its interpolations; its lines are those of the source. */
  text: string;
  /** Where it begins, from 1. */
  line: number;
}

/** An interpolation that is no document of its own; without running the client, nobody knows what it brings. */
export interface UnreadableTemplate {
  line: number;
  message: string;
}

export interface TaggedTemplates {
  templates: TaggedTemplate[];
  unreadable: UnreadableTemplate[];
}

/**
 * Finds the documents in JavaScript or TypeScript, in their order. Reads strings, comments, templates and, by what comes
 * before them, regular expressions; a tag with type arguments or under another name is not seen. An interpolation may
 * stand between definitions, where it brings the fragments of another template, which are found by name.
 */
export function readTaggedTemplates(source: string): TaggedTemplates {
  const scanner = new Scanner(source);
  scanner.code();
  return scanner;
}

const tags: ReadonlySet<string> = new Set(['gql', 'graphql']);
/** After these a slash begins a regular expression; after other words it divides. */
const wordsBeforeValues = new Set(['return', 'typeof', 'case', 'in', 'of', 'do', 'else', 'void', 'delete', 'await']);

interface Hole {
  /** In the template's text. */
  offset: number;
  line: number;
  expression: string;
}

class Scanner implements TaggedTemplates {
  readonly templates: TaggedTemplate[] = [];
  readonly unreadable: UnreadableTemplate[] = [];
  readonly #source: string;
  #position = 0;
  /** The two words or marks before the position, the nearer last. */
  #before: [string, string] = ['', ''];
  #isMarked = false;

  constructor(source: string) {
    this.#source = source;
  }

  /** Reads to the end, or in an interpolation to the bracket that closes it. */
  code(isInterpolation = false): void {
    let depth = 0;
    while (this.#position < this.#source.length) {
      const character = this.#source[this.#position]!;
      if (character === '{') depth += 1;
      if (character === '}') depth -= 1;
      if (depth < 0 && isInterpolation) return;
      this.#part(character);
    }
  }

  #part(character: string): void {
    if (this.#take(/\s+/y) !== '') return;
    const comment = this.#take(/\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y);
    if (comment === '') {
      const isMarked = this.#isMarked;
      this.#isMarked = false;
      if (character === '`') this.#template(isMarked || this.#isTagged());
      else this.#note(this.#takeValue() ? '0' : this.#take(/[\w$\u0080-\uffff]+|[\s\S]/y));
    } else this.#isMarked = /^\/\*\s*GraphQL\s*\*\/$/i.test(comment);
  }

  #takeValue(): boolean {
    const text = this.#take(/'(?:\\[\s\S]|[^'\\\n])*'?|"(?:\\[\s\S]|[^"\\\n])*"?/y);
    return text !== '' || (this.#isRegexNext() && this.#take(regex) !== '');
  }

  #isTagged(): boolean {
    const [first, last] = this.#before;
    return tags.has(last) || (last === '(' && tags.has(first));
  }

  #isRegexNext(): boolean {
    const [, last] = this.#before;
    if (/^[\w$\u0080-\uffff]/.test(last)) return wordsBeforeValues.has(last);
    return last !== ')' && last !== ']' && last !== '}' && last !== '<';
  }

  #template(isTagged: boolean): void {
    const start = this.#position;
    const holes: Hole[] = [];
    let text = '';
    this.#position += 1;
    while (this.#position < this.#source.length) {
      text += cook(this.#take(/(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y));
      const open = this.#position;
      if (this.#take(/\$\{/y) === '') break;
      this.code(true);
      const expression = this.#source.slice(open + 2, this.#position).trim();
      this.#position += 1;
      holes.push({ offset: text.length, line: this.#lineOf(open), expression });
      // The lines after it keep their numbers.
      text += this.#source.slice(open, this.#position).replace(/[^\n]/g, ' ');
    }
    this.#position += 1;
    this.#note('0');
    if (isTagged) this.#keep(text, this.#lineOf(start), holes);
  }

  #keep(text: string, line: number, holes: readonly Hole[]): void {
    const unreadable = holes.filter(({ offset, expression }) => !isFragment(text.slice(0, offset), expression));
    for (const hole of unreadable) {
      const message = `\${${hole.expression}}: expected interpolations between definitions only, that name fragments`;
      this.unreadable.push({ line: hole.line, message });
    }
    if (unreadable.length === 0 && text.trim() !== '') this.templates.push({ text, line });
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#position;
    const taken = pattern.exec(this.#source)?.[0] ?? '';
    this.#position += taken.length;
    return taken;
  }

  #note(token: string): void {
    this.#before = [this.#before[1], token];
  }

  #lineOf(position: number): number {
    return this.#source.slice(0, position).split('\n').length;
  }
}

const regex = /\/(?![*/])(?:\\[^\n]|\[(?:\\[^\n]|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;

/** Whether nothing or a whole definition stands before it, so that leaving it out leaves the others as they are. */
function isFragment(before: string, expression: string): boolean {
  const bare = before.replace(/"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*/g, '');
  const depth = bare.split('{').length - bare.split('}').length;
  return depth === 0 && /(?:^|\})\s*$/.test(bare) && /^[\w$.]+$/.test(expression);
}

/** What a template's escapes stand for; those of code points mean the same in GraphQL. */
function cook(raw: string): string {
  const meanings: Record<string, string> = { n: '\n', r: '\r', t: '\t', u: '\\u', '\n': '\n' };
  return raw.replace(/\\([\s\S])/g, (_escape, character: string) => meanings[character] ?? character);
}
