/** Markup that needs no escaping any more. */
export interface Html {
  readonly markup: string;
}

export type HtmlValue = string | number | Html | null | readonly HtmlValue[];

/** Markup around values: what is not markup itself is text. null leaves nothing. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return { markup: parts.map((part, index) => part + (index < values.length ? render(values[index]!) : '')).join('') };
}

/** For what has been escaped, or was written here. */
export function trusted(markup: string): Html {
  return { markup };
}

/** Data for a script of the page. Nothing in it can end the element, as it holds no `<`. */
export function jsonScript(data: unknown): Html {
  const text = JSON.stringify(data).replaceAll('<', '\\u003c');
  return trusted(`<script type="application/json">${text}</script>`);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function render(value: HtmlValue): string {
  if (value === null) return '';
  if (typeof value === 'string') return value.replaceAll(/[&<>"']/g, (character) => entities[character]!);
  if (typeof value === 'number') return String(value);
  return 'markup' in value ? value.markup : value.map(render).join('');
}
