/** What the compiled way does not know, or may not answer: graphql's own execution answers instead. */
export class NotCompiled extends Error {}
